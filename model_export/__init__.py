"""From labelled texts to a bundle: train, trace, verify, publish."""

import os
import sys
from pathlib import Path

# The ONNX exporter warns from C++ that it cannot infer the shapes of packing; verify proves them.
os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
# The quantiser loads ONNX Runtime before the engine, which says why, can do this.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
# The list of fonts that matplotlib keeps belongs to the installation, not into a home directory.
os.environ.setdefault("MPLCONFIGDIR", str(Path(sys.prefix, "var", "matplotlib")))
