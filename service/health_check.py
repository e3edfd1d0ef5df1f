"""``python -m service.health_check``: exit code 0 when the service on this machine is ready.

For a container's health check: it needs no curl in the image and reads the port where the
service reads it.
"""

import http.client
import os
import sys

SECONDS_LIMIT = 2.0


def ready(port: int) -> bool:
    """Whether ``/readyz`` on this machine says 200 within ``SECONDS_LIMIT``."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS_LIMIT)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if ready(int(os.environ.get("SENTIMENT_PORT", "8000"))) else 1)
