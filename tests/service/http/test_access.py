from pathlib import Path

import pytest

from service.failure import Unauthorized
from service.http.access import Access, read_keys
from service.settings import SettingError, read_settings

KEYS = ["first-key", "second-ключ"]


@pytest.mark.parametrize("key", KEYS)
def test_each_key_opens_as_a_bearer_token_and_as_x_api_key(key: str) -> None:
    access = Access(KEYS)
    access.check({b"authorization": b"Bearer " + key.encode()})
    access.check({b"authorization": b"bearer   " + key.encode()})
    access.check({b"x-api-key": key.encode()})


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {b"authorization": b"Bearer"},
        {b"authorization": b"Bearer first-ke"},
        {b"authorization": b"Bearer first-key2"},
        {b"authorization": b"Basic first-key"},
        {b"authorization": b"first-key"},
        {b"x-api-key": b""},
        {b"x-api-key": b"First-key"},
        {b"authorization": b"Bearer wrong", b"x-api-key": b"wrong"},
    ],
)
def test_anything_else_is_refused_and_told_how_to_ask(headers: dict[bytes, bytes]) -> None:
    with pytest.raises(Unauthorized) as refusal:
        Access(KEYS).check(headers)
    assert (b"www-authenticate", b"Bearer") in refusal.value.headers
    assert "first" not in str(refusal.value)


@pytest.mark.parametrize("other", [b"Bearer wrong", b"Basic first-key", b"Bearer", b"Digest x=y"])
def test_a_wrong_key_does_not_hide_a_right_one(other: bytes) -> None:
    access = Access(KEYS)
    access.check({b"authorization": other, b"x-api-key": b"first-key"})
    access.check({b"authorization": b"Bearer first-key", b"x-api-key": b"wrong"})


def test_without_keys_it_is_open_to_all() -> None:
    Access([]).check({})


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])  # the latter begins with a mark
def test_keys_come_from_the_setting_and_from_the_file(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "keys"
    file.write_text("one\n\n  two \r\nthree", encoding=encoding)
    settings = read_settings(["--api-keys=zero", f"--api-key-file={file}"])
    assert read_keys(settings) == ["zero", "one", "two", "three"]


@pytest.mark.parametrize("content", [None, b"", b"\n \n", b"\xff\xfe"])
def test_a_key_file_that_is_missing_or_empty_or_binary_stops_the_start(
    tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "keys"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingError, match="api_key_file"):
        read_keys(read_settings([f"--api-key-file={file}"]))
