"""Text in, logits out: bundle, tokenizer, ragged batch and backends. Knows no HTTP."""

import os

# ONNX Runtime reads this when it is loaded; without it, it dials its maker's telemetry host and
# writes a device id and a database below the home directory.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
