"""``wrk`` as the closed-loop load generator: it costs about 3 µs of a core per request."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from resource import RUSAGE_CHILDREN, getrusage

# Requests are formatted once, before the load starts; wrk calls request() for each one it sends.
SCRIPT = r"""
local bodies = {
%s
}
local requests, at = {}, 0
function init(args)
  wrk.headers["content-type"] = "application/json"
  for i, body in ipairs(bodies) do requests[i] = wrk.format("POST", "/predict", nil, body) end
end
function request()
  at = at %% #requests + 1
  return requests[at]
end
function done(summary, latency, results)
  local e = summary.errors
  io.write(string.format(
    '\nRESULT {"requests":%%d,"microseconds":%%d,"refused":%%d,"broken":%%d,' ..
    '"p50":%%d,"p90":%%d,"p99":%%d}\n',
    summary.requests, summary.duration, e.status, e.connect + e.read + e.write + e.timeout,
    latency:percentile(50), latency:percentile(90), latency:percentile(99)))
end
"""


class WrkError(Exception):
    """wrk failed; the message is what it printed."""


@dataclass(frozen=True, slots=True)
class WrkResult:
    requests_per_second: float  # of those that were answered with 2xx
    refused: int
    broken: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    generator_cores: float


def wrk_is_installed() -> bool:
    return shutil.which("wrk") is not None


def _lua_string(body: bytes) -> str:
    return '"' + "".join(f"\\{byte:03d}" if byte in b'\\"\n\r\0' else chr(byte) for byte in body)


def run_wrk(port: int, bodies: Sequence[bytes], clients: int, seconds: float) -> WrkResult:
    """``bodies`` are ASCII JSON, sent in turn to ``/predict``.

    Raises:
        WrkError: wrk did not run or did not end in time.
    """
    lines = [f'  {_lua_string(body)}",' for body in bodies]
    before = getrusage(RUSAGE_CHILDREN)
    with tempfile.NamedTemporaryFile("w", suffix=".lua", encoding="ascii") as script:
        script.write(SCRIPT % "\n".join(lines))
        script.flush()
        command = [
            *("wrk", "--threads", "1", "--connections", str(clients)),
            *("--duration", f"{max(1, round(seconds))}s", "--timeout", "20s", "--latency"),
            *("--script", script.name, f"http://127.0.0.1:{port}"),
        ]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60)
        except subprocess.TimeoutExpired:
            raise WrkError("it did not end") from None
    after = getrusage(RUSAGE_CHILDREN)
    found = done.stdout.rpartition("RESULT ")[2]
    if done.returncode or not found:
        raise WrkError((done.stderr or done.stdout).strip()[-200:])
    result = json.loads(found)
    used_seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    elapsed_seconds = result["microseconds"] / 1e6
    return WrkResult(
        requests_per_second=(result["requests"] - result["refused"]) / elapsed_seconds,
        refused=result["refused"],
        broken=result["broken"],
        p50_ms=result["p50"] / 1e3,
        p90_ms=result["p90"] / 1e3,
        p99_ms=result["p99"] / 1e3,
        generator_cores=used_seconds / elapsed_seconds,
    )
