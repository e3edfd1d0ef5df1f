"""Trainings that are killed on the way and started again."""

import signal
import subprocess
import sys
import time
from pathlib import Path

from model_export.configuration import Configuration
from model_export.run import Run
from tests.model_export.opinions import write_configuration


def train_with_kills(
    configuration: Configuration, data: Path, run: Run, watched: Path, kills: int
) -> None:
    """Train in processes killed whenever ``watched`` changes, ``kills`` times, then to the end."""
    file = write_configuration(run.directory.with_suffix(".toml"), configuration)
    command = [sys.executable, "-m", "model_export", "train", "--config", str(file)]
    command += ["--data", str(data), "--run", str(run.directory), "--save-seconds", "0.05"]
    done = 0
    while True:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        before = watched.stat().st_mtime_ns if watched.exists() else 0
        while process.poll() is None and done < kills:
            if watched.exists() and watched.stat().st_mtime_ns != before:
                process.send_signal(signal.SIGKILL)
                done += 1
                break
            time.sleep(0.005)
        if process.wait(120) == 0:
            break
    assert done == kills
