"""Open Inference Protocol v2: tensors in JSON, or in binary after it, to texts and back.

Source: the KServe "Open Inference Protocol" and Triton's binary tensor data extension: a JSON
part whose length ``Inference-Header-Content-Length`` names, then raw tensors, little-endian,
``BYTES`` elements with four bytes of length before each.
"""

import json
import struct
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from service.engine.logits import Probabilities
from service.failure import Invalid

TEXT, LABEL, SCORES = "text", "label", "scores"


class Tensor(BaseModel):
    """An input: `BYTES` of shape `[n]` or `[n, 1]`."""

    model_config = ConfigDict(strict=True, extra="forbid")

    name: str
    shape: list[int]
    datatype: str
    data: list[str | list[str]] | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)


class RequestedOutput(BaseModel):
    """An output to answer with: `label` or `scores`."""

    model_config = ConfigDict(strict=True, extra="forbid")

    name: str
    parameters: dict[str, Any] = Field(default_factory=dict)


class InferenceRequest(BaseModel):
    """Texts in the tensor `text`."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        json_schema_extra={
            "example": {
                "inputs": [
                    {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["A lovely film."]}
                ]
            }
        },
    )

    id: str | None = Field(None, description="given back in the answer")
    inputs: list[Tensor]
    outputs: list[RequestedOutput] | None = Field(None, description="all of them, if absent")
    parameters: dict[str, Any] = Field(default_factory=dict)


class OutputTensor(BaseModel):
    name: str
    datatype: str
    shape: list[int]
    data: list[Any]


class InferenceReply(BaseModel):
    """`label`: the one that won; `scores`: probabilities in the order of the model's labels."""

    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[OutputTensor]


def parse_request(body: bytes, json_bytes: bytes | None) -> tuple[InferenceRequest, list[str]]:
    """The request and its texts; ``json_bytes`` is the ``Inference-Header-Content-Length``.

    Raises:
        Invalid: anything but one tensor of texts.
    """
    split = len(body)
    if json_bytes is not None:
        if not json_bytes.isdigit() or len(json_bytes) > 9 or int(json_bytes) > len(body):
            raise Invalid("inference-header-content-length: must be at most the body's length")
        split = int(json_bytes)
    try:
        request = InferenceRequest.model_validate_json(body[:split])
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part)[:50] for part in problem["loc"]) or "body"
        raise Invalid(f"{place}: {problem['msg']}") from None
    if [tensor.name for tensor in request.inputs] != [TEXT]:
        raise Invalid(f"inputs: there must be one tensor, named {TEXT}")
    for output in request.outputs or []:
        if output.name not in (LABEL, SCORES):
            raise Invalid(f"outputs: there are {LABEL} and {SCORES} only")
    return request, _texts(request.inputs[0], body[split:])


def _texts(tensor: Tensor, binary: bytes) -> list[str]:
    if tensor.datatype != "BYTES":
        raise Invalid("inputs[0].datatype: must be BYTES")
    size = tensor.parameters.get("binary_data_size")
    if size is not None:
        if tensor.data is not None or size != len(binary):
            raise Invalid("inputs[0]: binary_data_size does not fit the data that was sent")
        texts = _unpack(binary)
    elif binary or tensor.data is None:
        raise Invalid("inputs[0]: data is missing, or binary data has no binary_data_size")
    else:
        rows = [row if isinstance(row, list) else [row] for row in tensor.data]
        texts = [text for row in rows for text in row]
    if not texts or tensor.shape not in ([len(texts)], [len(texts), 1]):
        raise Invalid(f"inputs[0].shape: must be [n] or [n, 1] for n texts, {len(texts)} were sent")
    return texts


def _unpack(binary: bytes) -> list[str]:
    texts: list[str] = []
    offset = 0
    while offset < len(binary):
        end = offset + 4
        if end <= len(binary):
            end += struct.unpack_from("<I", binary, offset)[0]
        if end > len(binary) or end < offset + 4:
            raise Invalid(f"inputs[0]: text {len(texts)} is longer than the data that was sent")
        try:
            texts.append(binary[offset + 4 : end].decode())
        except UnicodeDecodeError:
            raise Invalid(f"inputs[0]: text {len(texts)} is not UTF-8") from None
        offset = end
    return texts


def pack_reply(
    request: InferenceRequest, name: str, version: str, labels: list[str], scores: Probabilities
) -> tuple[bytes, int | None]:
    """The answer's body from scores (texts, labels), and where its JSON ends if tensors follow."""
    winners = [labels[index] for index in scores.argmax(axis=1)]
    all_binary = request.parameters.get("binary_data_output") is True
    wanted = request.outputs or [RequestedOutput(name=LABEL), RequestedOutput(name=SCORES)]
    outputs: list[dict[str, Any]] = []
    raw: list[bytes] = []
    for output in wanted:
        described: dict[str, Any]
        if output.name == LABEL:
            described = {"name": LABEL, "datatype": "BYTES", "shape": [len(winners)]}
        else:
            described = {"name": SCORES, "datatype": "FP32", "shape": list(scores.shape)}
        if output.parameters.get("binary_data", all_binary) is True:
            if output.name == LABEL:
                encoded = [label.encode() for label in winners]
                raw.append(b"".join(struct.pack("<I", len(one)) + one for one in encoded))
            else:
                raw.append(scores.astype(np.float32).tobytes())
            described["parameters"] = {"binary_data_size": len(raw[-1])}
        else:
            # Seven digits are all that float32 holds.
            digits = [float(f"{score:.7g}") for score in scores.ravel().tolist()]
            described["data"] = winners if output.name == LABEL else digits
        outputs.append(described)
    reply: dict[str, Any] = {"model_name": name, "model_version": version, "outputs": outputs}
    if request.id is not None:
        reply["id"] = request.id
    head = json.dumps(reply).encode()
    return b"".join([head, *raw]), len(head) if raw else None
