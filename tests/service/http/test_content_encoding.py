"""Compressed bodies, within bounds of size, memory and time per turn of the event loop."""

import asyncio
import gzip
import random
import tracemalloc
import zlib
from collections.abc import Callable

import pytest

from service.failure import Invalid, TooLarge, UnknownEncoding
from service.http.content_encoding import OUTPUT_BYTES, Decoder

LIMIT = 2 << 20


def raw_deflate(data: bytes, level: int = 6) -> bytes:
    compressor = zlib.compressobj(level, wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


FORMS: dict[str, tuple[bytes, Callable[[bytes, int], bytes]]] = {
    "gzip": (b"gzip", gzip.compress),
    "x-gzip": (b"x-gzip", gzip.compress),
    "zlib": (b"deflate", zlib.compress),
    "raw": (b"deflate", raw_deflate),
}
RANDOM = random.Random(7)
PAYLOADS = {
    "empty": b"",
    "letter": b"x",
    "text": b'{"inputs": "A lovely film."}',
    "words": b" ".join(RANDOM.choice([b"good", b"bad", b"long"]) for _ in range(50_000)),
    "noise": RANDOM.randbytes(200_000),
    "zeros": bytes(LIMIT),
    "edge": bytes(OUTPUT_BYTES),
    "over the edge": bytes(OUTPUT_BYTES + 1),
    "match over the edge": bytes(OUTPUT_BYTES + 200) + b"end",
}


def decode(encoding: bytes, data: bytes, size: int = 1 << 16, limit: int = LIMIT) -> bytes:
    async def run() -> bytes:
        decoder = Decoder(encoding, limit)
        parts: list[bytes] = []
        for start in range(0, len(data), size):
            parts += await decoder.decode(data[start : start + size])
        decoder.end()
        return b"".join(parts)

    return asyncio.run(run())


@pytest.mark.parametrize("size", [1, 7, 4096, 1 << 20])
@pytest.mark.parametrize("level", [0, 1, 9])
@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("form", FORMS)
def test_what_was_compressed_comes_back_whatever_the_pieces(
    form: str, payload: str, level: int, size: int
) -> None:
    encoding, compress = FORMS[form]
    data = compress(PAYLOADS[payload], level)
    if len(data) // size < 20_000:
        assert decode(encoding, data, size) == PAYLOADS[payload]


@pytest.mark.parametrize("form", FORMS)
def test_the_limit_is_on_what_comes_out(form: str) -> None:
    encoding, compress = FORMS[form]
    assert len(decode(encoding, compress(bytes(1000), 9), limit=1000)) == 1000
    for size in (1001, 100_000, 50 << 20):
        with pytest.raises(TooLarge, match="more than 1000 bytes when decoded"):
            decode(encoding, compress(bytes(size), 9), limit=1000)


@pytest.mark.parametrize("form", FORMS)
def test_a_bomb_takes_no_more_memory_than_the_limit(form: str) -> None:
    encoding, compress = FORMS[form]
    bomb = compress(bytes(100 << 20), 9)
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            decode(encoding, bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < LIMIT + (1 << 20)


@pytest.mark.parametrize("payload", ["zeros", "noise"])
def test_others_have_their_turn_between_small_steps(payload: str) -> None:
    async def count_turns() -> int:
        turns, ended = 0, False

        async def others() -> None:
            nonlocal turns
            while not ended:
                turns += 1
                await asyncio.sleep(0)

        waiting = asyncio.create_task(others())
        await asyncio.sleep(0)
        await Decoder(b"gzip", LIMIT).decode(gzip.compress(PAYLOADS[payload]))
        ended = True
        await waiting
        return turns

    size = len(PAYLOADS[payload])
    assert asyncio.run(count_turns()) >= size / (OUTPUT_BYTES if payload == "zeros" else 4096)


@pytest.mark.parametrize("form", FORMS)
def test_what_is_damaged_cut_or_followed_by_more_is_refused(form: str) -> None:
    encoding, compress = FORMS[form]
    whole = compress(PAYLOADS["words"], 6)
    for data in (b"", whole[:1], whole[:-1], whole[: len(whole) // 2]):
        with pytest.raises(Invalid, match="ends early"):
            decode(encoding, data)
    with pytest.raises(Invalid, match="something follows"):
        decode(encoding, whole + b"x")
    with pytest.raises(Invalid, match="something follows"):
        decode(encoding, whole + whole)
    middle = len(whole) // 2
    damaged = whole[:middle] + bytes(30) + whole[middle + 30 :]
    # Bare deflate carries no checksum.
    for data in (b"\xff" * 40, b"{}" * 20, *([damaged] if form != "raw" else [])):
        with pytest.raises(Invalid, match="content-encoding: "):
            decode(encoding, data)


@pytest.mark.parametrize("encoding", [b"br", b"zstd", b"compress", b"gzip, gzip", b"\xff", b"*"])
def test_any_other_encoding_is_refused_by_what_is_understood(encoding: bytes) -> None:
    with pytest.raises(UnknownEncoding) as refusal:
        Decoder(encoding, LIMIT)
    assert refusal.value.headers == [(b"accept-encoding", b"gzip, deflate")]
