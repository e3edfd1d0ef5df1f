"""From labelled texts to a bundle: train, trace, verify, publish."""

import os

# The ONNX exporter warns from C++ that it cannot infer the shapes of packing; verify proves them.
os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
