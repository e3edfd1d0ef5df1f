"""API keys: who may ask for predictions."""

import hashlib
import hmac
from pathlib import Path

from service.failure import Unauthorized
from service.settings import SettingError, Settings


class Access:
    """Accepts ``Authorization: Bearer <key>`` or ``X-API-Key: <key>``; open to all without keys."""

    def __init__(self, keys: list[str]) -> None:
        # Digests have one length, so that comparing them tells nothing of a key's length either.
        self._digests = [hashlib.sha256(key.encode()).digest() for key in keys]

    def check(self, headers: dict[bytes, bytes]) -> None:
        """Raises Unauthorized unless one of the keys that were sent is right."""
        if not self._digests:
            return
        scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
        bearer = token.strip() if scheme.lower() == b"bearer" else b""
        sent = [key for key in (bearer, headers.get(b"x-api-key", b"")) if key]
        # Every key is compared, in constant time, whichever one matches.
        matches = [
            hmac.compare_digest(hashlib.sha256(key).digest(), digest)
            for key in sent
            for digest in self._digests
        ]
        if not any(matches):
            raise Unauthorized("the API key is wrong" if sent else "an API key is required")


def read_keys(settings: Settings) -> list[str]:
    """Keys from the setting and from the file, one per line.

    Raises:
        SettingError: the file can't be read or holds no key.
    """
    keys = list(settings.api_keys)
    if settings.api_key_file is not None:
        keys += _keys_in(settings.api_key_file)
    return keys


def _keys_in(path: Path) -> list[str]:
    try:
        keys = [line.strip() for line in path.read_text(encoding="utf-8-sig").split("\n")]
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"api_key_file {path} can't be read: {error}") from None
    keys = [key for key in keys if key]
    if not keys:
        raise SettingError(f"api_key_file {path} holds no key")
    return keys
