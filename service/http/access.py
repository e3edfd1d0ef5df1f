"""API keys: who may ask for predictions."""

import hashlib
import hmac
from pathlib import Path

from service.failure import Unauthorized
from service.settings import SettingError, Settings

# What load balancers, supervisors and Prometheus ask needs no key, nor do the pages, which hold
# nothing that is not public and ask for the key themselves.
OPEN_PATHS = frozenset(
    {
        *("/health", "/livez", "/readyz", "/metrics", "/v2/health/live", "/v2/health/ready"),
        *("/", "/docs"),
    }
)


class Access:
    """Accepts ``Authorization: Bearer <key>`` or ``X-API-Key: <key>``; open to all without keys."""

    def __init__(self, keys: list[str]) -> None:
        # Digests have one length, so that comparing them tells nothing of a key's length either.
        self._digests = [hashlib.sha256(key.encode()).digest() for key in keys]

    def check(self, path: str, headers: dict[bytes, bytes]) -> None:
        """Raises Unauthorized unless the request may pass."""
        if not self._digests or path in OPEN_PATHS or path.startswith("/page/"):
            return
        scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
        key = token.strip() if scheme.lower() == b"bearer" else headers.get(b"x-api-key", b"")
        digest = hashlib.sha256(key).digest()
        # Every key is compared, in constant time, whichever one matches.
        if not sum(hmac.compare_digest(digest, known) for known in self._digests):
            raise Unauthorized("the API key is wrong" if key else "an API key is required")


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
