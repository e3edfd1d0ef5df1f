"""Run as root of a network and mount namespace of its own: what does a command send out?

``python -m tests.e2e.closed_network HOME COMMAND...`` gives the command a loopback interface and a
default route that ends here, so that what it sends to anybody else can be read. ``HOME`` is its
home and its directory of temporary files. Prints one line of JSON: exit code and packets.
"""

import fcntl
import json
import os
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x1, 0x1000  # linux/if_tun.h
ROUTE_TO_NOBODY = (
    "link set lo up",
    "address add 10.99.0.1/24 dev outside",
    "link set outside up",
    "route add default via 10.99.0.2",
)


def open_outside() -> int:
    """An interface whose packets come out of the descriptor that is returned."""
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH22x", b"outside", IFF_TUN | IFF_NO_PI))
    # The kernel itself looks for IPv6 routers on every new interface.
    Path("/proc/sys/net/ipv6/conf/outside/disable_ipv6").write_text("1")
    for arguments in ROUTE_TO_NOBODY:
        subprocess.run(["ip", *arguments.split()], check=True)
    return descriptor


def answer_no_names() -> None:
    """Look-ups go to an address outside, whatever this machine's resolver is."""
    with tempfile.NamedTemporaryFile("w", suffix=".conf", delete=False) as file:
        file.write("nameserver 10.99.0.2\n")
    subprocess.run(["mount", "--bind", file.name, "/etc/resolv.conf"], check=True)
    Path(file.name).unlink()


def read_packets(descriptor: int) -> list[str]:
    """Every packet that has come so far, in hexadecimal: its first 64 bytes."""
    packets = []
    while True:
        try:
            packets.append(os.read(descriptor, 65536)[:64].hex())
        except BlockingIOError:
            return packets


def main() -> None:
    home, *command = sys.argv[1:]
    outside = open_outside()
    answer_no_names()
    environment = {**os.environ, "HOME": home, "TMPDIR": home}
    code = subprocess.run(command, env=environment, stdout=sys.stderr, check=False).returncode
    print(json.dumps({"code": code, "packets": read_packets(outside)}))


if __name__ == "__main__":
    main()
