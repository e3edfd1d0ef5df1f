"""Load on a running service, and the figures that come of it."""

import os

# Every server that is compared runs ONNX Runtime, and none of them may phone home.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
