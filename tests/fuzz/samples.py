"""Good inputs to start from."""

import json
import os
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from service.settings import SHIPPED_BUNDLE

BODY = {
    "inputs": [["A lovely film."], "dreadful"],
    "truncate": True,
    "truncation_direction": "left",
    "raw_scores": False,
    "timeout_ms": 100,
}
MANIFEST = json.loads(
    (Path(os.environ.get("SENTIMENT_BUNDLE", SHIPPED_BUNDLE)) / "manifest.json").read_bytes()
)


def small_model() -> bytes:
    weights = numpy_helper.from_array(np.zeros((4, 2), np.float32), "weights")
    nodes = [
        helper.make_node("Constant", [], ["axis"], value=numpy_helper.from_array(np.zeros(1))),
        helper.make_node("Gather", ["weights", "token_ids"], ["logits"], axis=0),
    ]
    ends = [
        helper.make_tensor_value_info(name, kind, None)
        for name, kind in (("token_ids", TensorProto.INT64), ("logits", TensorProto.FLOAT))
    ]
    graph = helper.make_graph(nodes, "small", ends[:1], ends[1:], [weights])
    return bytes(helper.make_model(graph).SerializeToString())
