"""What counting costs: the same load on a service with and one without metrics, by turns.

``python -m load_tests.metrics_cost`` needs wrk and a quiet machine.
"""

import argparse
import contextlib
import json
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

START_SECONDS_LIMIT = 60.0
TEXT = (
    "A quiet film that takes its time, beautifully played, and in the end it moved me more"
    " than I had expected it to."
)
SCRIPT = """
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
wrk.body = [==[{body}]==]
"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m load_tests.metrics_cost", description=__doc__)
    parser.add_argument("--bundle", help="bundle to serve instead of the shipped one")
    parser.add_argument("--connections", type=int, default=64, help="of wrk (default 64)")
    parser.add_argument("--seconds", type=int, default=5, help="of one run (default 5)")
    parser.add_argument("--rounds", type=int, default=6, help="runs of each (default 6)")
    arguments = parser.parse_args()
    if shutil.which("wrk") is None:
        print("wrk is not installed (make tools)", file=sys.stderr)
        return 2
    bundle = ["--bundle", arguments.bundle] if arguments.bundle else []
    rates: dict[bool, list[float]] = {True: [], False: []}
    with service(["--metrics", *bundle]) as on, service(["--no-metrics", *bundle]) as off:
        ports = {True: on, False: off}
        for port in ports.values():
            requests_per_second(port, arguments.connections, 1)  # caches and cost models settle
        for number in range(arguments.rounds):
            # On-off, off-on: what drifts with time falls on both alike.
            for counting in (True, False) if number % 2 else (False, True):
                port = ports[counting]
                rate = requests_per_second(port, arguments.connections, arguments.seconds)
                rates[counting].append(rate)
                print(f"metrics {'on ' if counting else 'off'} {rate:8.0f} requests/s", flush=True)
    with_metrics, without = statistics.median(rates[True]), statistics.median(rates[False])
    report = {
        "requests_per_second_on": round(with_metrics),
        "requests_per_second_off": round(without),
        "cost_ratio": round(1 - with_metrics / without, 4),
    }
    print(json.dumps(report))
    return 0


@contextlib.contextmanager
def service(flags: list[str]) -> Iterator[int]:
    """A service on a free port, which is what this yields; ended afterwards."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", "service", "--port", str(port), *flags]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until_ready(port, process)
        yield port
    finally:
        process.terminate()
        process.wait()


def wait_until_ready(port: int, process: subprocess.Popen[bytes]) -> None:
    """Raises RuntimeError if the service ends or is not ready in time."""
    stop_at = time.monotonic() + START_SECONDS_LIMIT
    while time.monotonic() < stop_at and process.poll() is None:
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1)
            return
        time.sleep(0.05)
    raise RuntimeError(f"the service did not become ready (exit code {process.poll()})")


def requests_per_second(port: int, connections: int, seconds: int) -> float:
    """Raises RuntimeError if wrk saw anything but answers with labels."""
    with tempfile.TemporaryDirectory() as directory:
        script = Path(directory) / "predict.lua"
        script.write_text(SCRIPT.format(body=json.dumps({"inputs": TEXT})))
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}", "-s", str(script)]
        url = f"http://127.0.0.1:{port}/predict"
        output = subprocess.run([*command, url], check=True, capture_output=True, text=True).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    if rate is None or "Non-2xx" in output or "Socket errors" in output:
        raise RuntimeError(f"wrk saw errors:\n{output}")
    return float(rate[1])


if __name__ == "__main__":
    sys.exit(main())
