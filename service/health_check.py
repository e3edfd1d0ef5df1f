"""``python -m service.health_check``: exit code 0 when the service on this machine is ready.

For a container's health check: it needs no curl in the image, and asks wherever the service
listens, however that was set. Where several run, all that share this user and directory of
temporary files must be ready.
"""

import http.client
import sys
import tempfile
import urllib.parse
from pathlib import Path

from service.private_directory import live_directories

SECONDS_LIMIT = 2.0
URL_FILE = "url"


def ready(url: str) -> bool:
    """Whether ``/readyz`` there says 200 within ``SECONDS_LIMIT``."""
    address = urllib.parse.urlsplit(url).netloc
    connection = http.client.HTTPConnection(address, timeout=SECONDS_LIMIT)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def running_services() -> list[str]:
    """The URLs of the services that run."""
    files = [path / URL_FILE for path in live_directories(Path(tempfile.gettempdir()))]
    return [file.read_text(encoding="ascii") for file in files if file.exists()]


if __name__ == "__main__":
    urls = running_services()
    sys.exit(0 if urls and all(map(ready, urls)) else 1)
