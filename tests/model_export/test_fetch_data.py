import hashlib
import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from rich.console import Console

from model_export.dataset import find_data_files, read_texts
from model_export.download import Archive, download
from model_export.errors import ModelExportError
from model_export.fetch_data import fetch_data, phrases

CONTENT = bytes(range(256)) * 4000


class Server(ThreadingHTTPServer):
    """Serves ``files``; ``cut`` transfers break off after a third, ``ranges`` lists what came."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.cut = 0
        self.understands_ranges = True
        self.ranges: list[int] = []

    def archive(self, name: str, content: bytes) -> Archive:
        self.files[f"/{name}"] = content
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        return Archive(f"http://127.0.0.1:{self.server_port}/{name}", digest, len(content))


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        content = self.server.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        start = 0
        if self.server.understands_ranges:
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        self.server.ranges.append(start)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        rest = content[start:]
        if self.server.cut:
            self.server.cut -= 1
            rest = rest[: len(rest) // 3]
            self.close_connection = True
        self.wfile.write(rest)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as serving:
        thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


def test_a_broken_transfer_goes_on_where_it_ended(
    server: Server, tmp_path: Path, console: Console
) -> None:
    server.cut = 2
    archive = server.archive("a.bin", CONTENT)
    assert download(archive, tmp_path, console).read_bytes() == CONTENT
    assert len(server.ranges) == 3
    assert server.ranges == sorted(set(server.ranges))


def test_a_server_without_ranges_starts_again(
    server: Server, tmp_path: Path, console: Console
) -> None:
    server.cut, server.understands_ranges = 1, False
    archive = server.archive("a.bin", CONTENT)
    assert download(archive, tmp_path, console).read_bytes() == CONTENT


def test_what_is_there_is_not_fetched_again(
    server: Server, tmp_path: Path, console: Console
) -> None:
    archive = server.archive("a.bin", CONTENT)
    download(archive, tmp_path, console)
    download(archive, tmp_path, console)
    assert len(server.ranges) == 1


def test_transfers_that_keep_breaking_end_with_a_sentence_and_keep_their_part(
    server: Server, tmp_path: Path, console: Console
) -> None:
    server.cut = 100
    archive = server.archive("a.bin", CONTENT)
    with pytest.raises(ModelExportError, match="bytes"):
        download(archive, tmp_path, console)
    server.cut = 0
    assert download(archive, tmp_path, console).read_bytes() == CONTENT
    assert server.ranges[-1] > 0


@pytest.mark.parametrize("content", [CONTENT[:-1] + b"?", CONTENT + b"?", CONTENT[:-9]])
def test_another_file_is_refused_and_removed(
    server: Server, tmp_path: Path, console: Console, content: bytes
) -> None:
    archive = server.archive("a.bin", CONTENT)
    server.files["/a.bin"] = content
    with pytest.raises(ModelExportError):
        download(archive, tmp_path, console)
    assert not (tmp_path / "a.bin").exists()


def test_a_missing_file_is_reported_with_its_address(
    server: Server, tmp_path: Path, console: Console
) -> None:
    archive = server.archive("a.bin", CONTENT)
    server.files.clear()
    with pytest.raises(ModelExportError, match=r"a\.bin.*404"):
        download(archive, tmp_path, console)


def imdb_archive() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for kind, count in (("pos", 40), ("neg", 40), ("unsup", 5)):
            for number in range(count):
                text = f"a {kind} review<br />number {number}\u0085 café".encode()
                member = tarfile.TarInfo(f"aclImdb/train/{kind}/{number}_7.txt")
                member.size = len(text)
                archive.addfile(member, io.BytesIO(text))
        for name in ("aclImdb/test/pos/0_9.txt", "aclImdb/train/urls_pos.txt"):
            member = tarfile.TarInfo(name)
            member.size = 4
            archive.addfile(member, io.BytesIO(b"test"))
    return buffer.getvalue()


def sst_archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        train = "(3 (2 It) (4 shines))\n(1 (2 -LRB-) (0 awful))\n(2 (2 a) (2 chair))\n"
        archive.writestr("trees/train.txt", train)
        archive.writestr("trees/dev.txt", "(4 (2 so) (3 good))\n(2 (2 so) (2 so))\n")
    return buffer.getvalue()


def test_archives_become_the_directories_that_training_reads(
    server: Server, tmp_path: Path, console: Console
) -> None:
    imdb = server.archive("aclImdb_v1.tar.gz", imdb_archive())
    sst = server.archive("trees.zip", sst_archive())
    fetch_data(tmp_path, console, imdb, sst)
    found = {file.name: read_texts(file, ["0", "1"]) for file in find_data_files(tmp_path)}
    train, dev = found["imdb/train"], found["imdb/dev"]
    assert len(train.texts) + len(dev.texts) == 80
    assert 0 < len(dev.texts) < 25
    assert not set(train.texts) & set(dev.texts)
    assert all(("pos" in text) == label for text, label in zip(*vars(train).values(), strict=True))
    assert found["imdb/unlabelled"].labels == [-1] * 5
    assert vars(found["sst2/train_phrases"]) == {
        "texts": ["shines", "It shines", "awful", "( awful"],
        "labels": [1, 1, 0, 0],
    }
    assert found["sst2/train_sentences"].texts == ["It shines", "( awful"]
    assert found["sst2/dev"].texts == ["so good"]


def test_an_archive_that_cannot_be_read_is_reported(
    server: Server, tmp_path: Path, console: Console
) -> None:
    imdb = server.archive("aclImdb_v1.tar.gz", imdb_archive()[:-30])
    sst = server.archive("trees.zip", b"no archive")
    with pytest.raises(ModelExportError, match="cannot be read"):
        fetch_data(tmp_path, console, imdb, sst)


def test_a_tree_gives_its_phrases_inner_ones_first() -> None:
    texts = [row.text for row in phrases("(3 (2 An) (3 (3 (2 and\\/or) (2 b)) (2 c)))")]
    assert texts == ["An", "and/or", "b", "and/or b", "c", "and/or b c", "An and/or b c"]
