"""Load tests: they put load on a running service and measure how it responds."""

import os

# Every server that is compared runs ONNX Runtime, and none of them may phone home.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
