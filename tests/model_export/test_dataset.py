import gzip
import json
from pathlib import Path

import pytest

from model_export.dataset import DataFile, find_data_files, read_texts
from model_export.errors import ModelExportError


def write(path: Path, *lines: str) -> DataFile:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return DataFile("films/train", "train", path)


def test_files_are_found_by_their_names_below_the_directory(tmp_path: Path) -> None:
    for name in ("films/train_a.jsonl", "films/dev.jsonl", "films/notes.jsonl"):
        write(tmp_path / name, "")
    with gzip.open(tmp_path / "train.jsonl.gz", "wt") as file:
        file.write("")
    found = [(file.name, file.split) for file in find_data_files(tmp_path)]
    assert sorted(found) == [
        ("films/dev", "dev"),
        ("films/train_a", "train"),
        ("train", "train"),
    ]


def test_a_directory_without_training_files_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "dev.jsonl", "")
    with pytest.raises(ModelExportError, match=r"holds no train"):
        find_data_files(tmp_path)


def test_rows_are_cut_at_line_feeds_alone(tmp_path: Path) -> None:
    texts = ["one\u0085two", "three\u2028four", "five\rsix"]
    path = tmp_path / "train.jsonl.gz"
    with gzip.open(path, "wt", encoding="utf-8", newline="\n") as file:
        for text in texts:
            file.write(json.dumps({"label": 1, "text": text}, ensure_ascii=False) + "\n")
    assert read_texts(DataFile("train", "train", path), ["0", "1"]).texts == texts


def test_labels_are_numbers_or_strings_and_null_is_unknown(tmp_path: Path) -> None:
    file = write(
        tmp_path / "train.jsonl",
        '{"label": 2, "text": "a"}',
        '{"label": "0", "text": "b"}',
        '{"label": null, "text": "c"}',
    )
    assert read_texts(file, ["0", "1", "2"]).labels == [2, 0, -1]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("{", "is not JSON"),
        ("[1]", "is not a JSON object"),
        ('{"label": 1}', '"text" is missing'),
        ('{"label": 1, "text": 5}', '"text" is missing or not a string'),
        ('{"label": 1, "text": " \\n "}', '"text" is blank'),
        ('{"label": 7, "text": "a"}', '"label" is 7'),
        ('{"label": 1, "text": "\\ud800"}', "surrogate"),
        ("", "is not JSON"),
    ],
)
def test_a_bad_row_is_reported_with_file_line_and_reason(
    tmp_path: Path, row: str, reason: str
) -> None:
    file = write(tmp_path / "train.jsonl", '{"label": 1, "text": "fine"}', row)
    with pytest.raises(ModelExportError) as caught:
        read_texts(file, ["0", "1"])
    assert str(caught.value).startswith(f"{file.path}:2: ")
    assert reason in str(caught.value)


def test_a_truncated_archive_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"label": 1, "text": "fine"}\n' * 100)[:-20])
    with pytest.raises(ModelExportError, match=r"train\.jsonl\.gz:\d+: "):
        read_texts(DataFile("train", "train", path), ["0", "1"])
