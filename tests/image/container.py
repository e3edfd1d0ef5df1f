"""A container of an image by the kernel's own means: namespaces, read-only mounts, no rights."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from tests.e2e.running_service import STOP_SECONDS_LIMIT, RunningService, running_service
from tests.image.built_image import BuiltImage

# What an engine mounts for `--read-only --tmpfs /tmp --security-opt no-new-privileges`.
START = """
set -e
root=$1; user=$2; directory=$3; shift 3
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t tmpfs -o size=64m,mode=1777 tmpfs "$root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero full random urandom; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/shm"
mount -t tmpfs -o size=64m,mode=1777 tmpfs "$root/dev/shm"
mount -o remount,bind,ro "$root"
cd "$root"
exec setpriv --no-new-privs chroot --userspec="$user" --groups= "$root" \
    /usr/bin/env -i -C "$directory" SENTIMENT_PORT="$SENTIMENT_PORT" "$@"
"""
NAMESPACES = ["--pid", "--mount", "--ipc", "--uts", "--fork", "--kill-child"]


class RunningContainer:
    """``service`` talks to it; ``pid`` is its first process as seen from outside."""

    def __init__(self, image: BuiltImage, service: RunningService) -> None:
        self._image = image
        self.service = service
        self.pid = psutil.Process(service.process.pid).children()[0].pid

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """Run a command inside, as the image's user."""
        user, group = self._image.config["User"].split(":")
        inside = ["--target", str(self.pid), "--mount", "--pid", "--ipc", "--uts", "--root"]
        environment = [*self._image.config["Env"], f"SENTIMENT_PORT={self.service.port}"]
        directory = self._image.config["WorkingDir"]
        entering = ["nsenter", *inside, "--setuid", user, "--setgid", group]
        return subprocess.run(
            [*entering, "/usr/bin/env", "-i", "-C", directory, *environment, *command],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def stop(self) -> int:
        """SIGTERM to the first process; the container's exit code."""
        psutil.Process(self.pid).terminate()
        return self.service.process.wait(STOP_SECONDS_LIMIT)


@contextmanager
def running_container(image: BuiltImage, **settings: object) -> Iterator[RunningContainer]:
    """Start the image's own entrypoint, user, directory and environment."""
    variables = [f"SENTIMENT_{name.upper()}={value}" for name, value in settings.items()]
    config = image.config
    command = ["unshare", *NAMESPACES, "sh", "-c", START, "sh", str(image.root), config["User"]]
    command += [config["WorkingDir"], *config["Env"], *variables]
    command += [*config["Entrypoint"], *config["Cmd"]]
    with running_service(command=command) as service:
        container = RunningContainer(image, service)
        try:
            yield container
        finally:
            if service.process.poll() is None:
                container.stop()
