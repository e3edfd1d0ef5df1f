"""Bodies that come compressed: decoded within a bound, and never for long at a time."""

import asyncio
import zlib

from service.failure import Invalid, TooLarge, UnknownEncoding

ACCEPTED = "gzip, deflate"
GZIP, ZLIB, RAW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS
# Either takes well under a millisecond. Blocks with hardly anything in them cost most per byte
# that comes in, runs of one letter most per byte that goes out.
INPUT_BYTES, OUTPUT_BYTES = 4 << 10, 64 << 10


class Decoder:
    """Decodes one body of at most ``bytes_limit`` decoded bytes."""

    def __init__(self, encoding: bytes, bytes_limit: int) -> None:
        """Raises UnknownEncoding."""
        if encoding not in (b"gzip", b"x-gzip", b"deflate"):
            raise UnknownEncoding(ACCEPTED)
        self._name = encoding.decode("ascii")
        self._bytes_left = bytes_limit
        self._bytes_limit = bytes_limit
        # Which of its two forms deflate has shows in the first byte.
        self._inflater = None if encoding == b"deflate" else zlib.decompressobj(GZIP)

    async def decode(self, data: bytes) -> list[bytes]:
        """What ``data`` holds, in parts; other requests have their turns in between.

        Raises:
            TooLarge: it is more than the limit.
            Invalid: it is damaged, or something follows its end.
        """
        parts = []
        for start in range(0, len(data), INPUT_BYTES):
            piece = data[start : start + INPUT_BYTES]
            part = b""
            while piece or len(part) == OUTPUT_BYTES:  # then there may be more without more input
                part, piece = self._inflate(piece)
                parts.append(part)
                self._bytes_left -= len(part)
                if self._bytes_left < 0:
                    raise TooLarge(f"the body has more than {self._bytes_limit} bytes when decoded")
                await asyncio.sleep(0)
        return parts

    def end(self) -> None:
        """Raises Invalid: more should have come."""
        if self._inflater is None or not self._inflater.eof:
            raise Invalid(f"content-encoding: the {self._name} data ends early")

    def _inflate(self, data: bytes) -> tuple[bytes, bytes]:
        """At most OUTPUT_BYTES, and what of ``data`` is left for the next time."""
        if self._inflater is None:
            # RFC 9110 means the zlib format; some clients send bare deflate, of which no valid
            # stream begins with zlib's method in the low half of its first byte.
            self._inflater = zlib.decompressobj(ZLIB if data[0] & 0x0F == 8 else RAW)
        if self._inflater.eof and data:
            raise Invalid(f"content-encoding: something follows the {self._name} data")
        try:
            part = self._inflater.decompress(data, OUTPUT_BYTES)
        except zlib.error:
            raise Invalid(f"content-encoding: this is not {self._name} data") from None
        return part, self._inflater.unconsumed_tail or self._inflater.unused_data
