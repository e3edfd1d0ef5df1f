"""The public originals of two sets, from their authors' addresses, as directories of JSON lines.

- ``imdb``: Large Movie Review Dataset (Maas et al., ACL 2011). Its training half, a tenth of it as
  dev by the hash of the text, and its unlabelled reviews.
- ``sst2``: Stanford Sentiment Treebank (Socher et al., EMNLP 2013). All phrases and the sentences
  of the training trees, and the dev sentences, neutral ones left out.

The official test parts stay in the archives: nothing here reads them.
"""

import gzip
import hashlib
import json
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from model_export.download import Archive, download
from model_export.errors import ModelExportError
from model_export.run import write_whole

DEV_SHARE = 0.1
IMDB = Archive(
    "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",
    "md5:7c2ac02c03563afcf9b574c7e56c153a",
    84_125_825,
)
SST = Archive(
    "https://nlp.stanford.edu/sentiment/trainDevTestTrees_PTB.zip",
    "sha256:5c613a4f673fc74097d523a2c83f38e0cc462984d847b82c7aaf36b01cbbbfcc",
    789_539,
)
IMDB_LABELS = {"neg": 0, "pos": 1, "unsup": None}
IMDB_MEMBER = re.compile(r"aclImdb/train/(neg|pos|unsup)/[^/]+\.txt")
TREE_PART = re.compile(r"\((\d) |\)|[^()\s]+")
BRACKETS = {"-LRB-": "(", "-RRB-": ")"}
NEUTRAL = 2


@dataclass(frozen=True)
class Row:
    label: int | None
    text: str


def fetch_data(directory: Path, console: Console, imdb: Archive = IMDB, sst: Archive = SST) -> None:
    """Fill ``directory`` with ``imdb`` and ``sst2``; archives are kept in its ``archives``.

    Raises:
        ModelExportError: an archive cannot be fetched or read.
    """
    imdb_path = download(imdb, directory / "archives", console)
    sst_path = download(sst, directory / "archives", console)
    try:
        with console.status("converting imdb"):
            parts: dict[str, list[Row]] = {"train": [], "dev": [], "unlabelled": []}
            for row in read_imdb(imdb_path):
                parts[imdb_part(row)].append(row)
            for part, rows in parts.items():
                write_rows(directory / "imdb" / f"{part}.jsonl.gz", rows, "imdb")
        with console.status("converting sst2"), zipfile.ZipFile(sst_path) as archive:
            train = read_trees(archive, "trees/train.txt")
            phrases = dict.fromkeys(row for tree in train for row in tree)
            sentences = [tree[-1] for tree in train if tree[-1].label is not None]
            dev = [tree[-1] for tree in read_trees(archive, "trees/dev.txt")]
            for name, found in (
                ("train_phrases", [row for row in phrases if row.label is not None]),
                ("train_sentences", sentences),
                ("dev", [row for row in dev if row.label is not None]),
            ):
                write_rows(directory / "sst2" / f"{name}.jsonl.gz", found, "sst2")
    except (OSError, EOFError, KeyError, zlib.error, tarfile.TarError, zipfile.BadZipFile) as error:
        raise ModelExportError(f"{directory}: an archive cannot be read ({error})") from error
    console.print(f"imdb and sst2 are in {directory}")


def read_imdb(path: Path) -> Iterator[Row]:
    with tarfile.open(path) as archive:
        for member in archive:
            found = IMDB_MEMBER.fullmatch(member.name)
            file = archive.extractfile(member) if found else None
            if found and file:
                yield Row(IMDB_LABELS[found[1]], file.read().decode())


def imdb_part(row: Row) -> str:
    if row.label is None:
        return "unlabelled"
    digest = hashlib.sha256(row.text.encode()).digest()
    return "dev" if int.from_bytes(digest[:4]) < DEV_SHARE * 2**32 else "train"


def read_trees(archive: zipfile.ZipFile, name: str) -> list[list[Row]]:
    """The phrases of each tree, the whole sentence last; neutral phrases have no label."""
    lines = archive.read(name).decode().split("\n")
    return [phrases(line) for line in lines if line.strip()]


def phrases(tree: str) -> list[Row]:
    """``(3 (2 It) (4 shines))`` gives its subtrees, inner ones first."""
    found: list[Row] = []
    words: list[str] = []
    opened: list[tuple[int, int]] = []  # grade and first word
    for part in TREE_PART.finditer(tree):
        if part[1]:
            opened.append((int(part[1]), len(words)))
        elif part[0] == ")":
            grade, first = opened.pop()
            label = None if grade == NEUTRAL else int(grade > NEUTRAL)
            found.append(Row(label, " ".join(words[first:])))
        else:
            words.append(BRACKETS.get(part[0], part[0].replace("\\/", "/")))
    return found


def write_rows(path: Path, rows: Iterable[Row], domain: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)

    def write(unfinished: Path) -> None:
        # No time stamp and no name, so that the same texts make the same file.
        with unfinished.open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as file:
            for row in rows:
                line = {"label": row.label, "text": row.text, "domain": domain}
                file.write((json.dumps(line, ensure_ascii=False) + "\n").encode())

    write_whole(path, write)
