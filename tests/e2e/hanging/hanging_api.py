"""A LitAPI whose worker stops for good in one of its starts, in the middle of loading."""

import os
import signal
from pathlib import Path

from service.engine.backends.selection import Selection
from service.engine.bundle import Bundle
from service.worker.inference_api import InferenceApi

# The start that hangs, counted from 1, and the file in which starts are counted.
HANGING_START, STARTS_FILE = "HANGING_START", "STARTS_FILE"


class HangingApi(InferenceApi):
    def open_backend(self, bundle: Bundle, device: str) -> Selection:
        with Path(os.environ[STARTS_FILE]).open("ab", buffering=0) as starts:
            starts.write(b".")
            if starts.tell() == int(os.environ[HANGING_START]):
                os.kill(os.getpid(), signal.SIGSTOP)
        return super().open_backend(bundle, device)
