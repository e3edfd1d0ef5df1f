"""What an ONNX file may hold, read off its bytes before ONNX Runtime sees them.

ONNX Runtime follows a tensor's ``external_data`` to any file below its working directory, runs
whatever operators it knows and takes memory as the graph asks. So only a flat graph passes, of
the operators that ``model_export`` writes, with all its numbers inside. The walk knows only the
message fields that matter here and needs no protobuf library; field numbers are those of
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

from collections.abc import Iterator

from service.engine.bundle import BundleError

# An exported graph has some hundred; the walk does about two million a second.
FIELDS_LIMIT = 1_000_000
_STANDARD = """
    Add Cast Concat Constant ConstantOfShape DequantizeLinear Div DynamicQuantizeLinear Expand
    Flatten GRU Gather Gemm Identity LSTM MatMul MatMulInteger Mul QuantizeLinear RNN Range
    ReduceProd Reshape ScatterElements Shape Slice Split Squeeze Sub TopK Transpose Unsqueeze
"""
_MICROSOFT = "DynamicQuantizeLSTM DynamicQuantizeMatMul MatMulIntegerToFloat"
# What PyTorch writes for the classifier and ONNX Runtime's quantisation makes of it, by domain.
OPERATORS = {
    domain: frozenset(names.split())
    for domain, names in (("", _STANDARD), ("ai.onnx", _STANDARD), ("com.microsoft", _MICROSOFT))
}

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_TAG_BYTES, _VARINT_BYTES = 5, 10


class _Walk:
    def __init__(self, content: bytes) -> None:
        self._content = content
        self._fields = 0

    def fields(self, start: int, stop: int) -> Iterator[tuple[int, int, int, int]]:
        """Number, value or start, stop and wire type of each field of one message."""
        at = start
        while at < stop:
            self._fields += 1
            if self._fields > FIELDS_LIMIT:
                raise BundleError(f"has more than {FIELDS_LIMIT} fields")
            tag, at = self._varint(at, stop, _TAG_BYTES)
            number, wire_type = tag >> 3, tag & 7
            if wire_type == _VARINT:
                value, at = self._varint(at, stop, _VARINT_BYTES)
                end = at
            else:
                if wire_type == _BYTES:
                    size, at = self._varint(at, stop, _VARINT_BYTES)
                elif wire_type in (_FIXED64, _FIXED32):
                    size = 8 if wire_type == _FIXED64 else 4
                else:
                    raise BundleError("is not an ONNX file")
                value, end = at, at + size
            if end > stop or not 0 < number < 1 << 29:
                raise BundleError("is not an ONNX file")
            yield number, value, end, wire_type
            at = end

    def messages(self, start: int, stop: int, *numbers: int) -> Iterator[tuple[int, int, int]]:
        """Number, start and stop of the fields that are messages or strings."""
        for number, value, end, wire_type in self.fields(start, stop):
            if number in numbers and wire_type == _BYTES:
                yield number, value, end

    def model(self) -> None:
        found = False
        for number, start, stop in self.messages(0, len(self._content), 7, 20, 25):
            if number != 7:
                raise BundleError("has functions or training steps of its own")
            found = True
            self._graph(start, stop)
        if not found:
            raise BundleError("is not an ONNX file")

    def _graph(self, start: int, stop: int) -> None:
        for number, begin, end in self.messages(start, stop, 1, 5, 15):
            if number == 1:
                self._node(begin, end)
            elif number == 5:
                self._tensor(begin, end)
            else:
                self._sparse_tensor(begin, end)

    def _node(self, start: int, stop: int) -> None:
        operator = domain = ""
        for number, begin, end in self.messages(start, stop, 4, 5, 7):
            if number == 5:
                self._attribute(begin, end)
            elif number == 4:
                operator = self._string(begin, end)
            else:
                domain = self._string(begin, end)
        if operator not in OPERATORS.get(domain, ()):
            name = f"{domain}.{operator}" if domain else operator
            raise BundleError(f"has the operator {name!r}, which no exported model has")

    def _attribute(self, start: int, stop: int) -> None:
        for number, begin, end in self.messages(start, stop, 5, 6, 10, 11, 22, 23):
            if number in (6, 11):
                raise BundleError("has a graph within its graph")
            if number in (5, 10):
                self._tensor(begin, end)
            else:
                self._sparse_tensor(begin, end)

    def _sparse_tensor(self, start: int, stop: int) -> None:
        for _, begin, end in self.messages(start, stop, 1, 2):
            self._tensor(begin, end)

    def _tensor(self, start: int, stop: int) -> None:
        for number, value, _, _ in self.fields(start, stop):
            if number == 13 or (number == 14 and value):
                raise BundleError("keeps tensors in another file, which is never read")

    def _string(self, start: int, stop: int) -> str:
        return self._content[start : min(stop, start + 100)].decode("utf-8", "replace")

    def _varint(self, at: int, stop: int, bytes_limit: int) -> tuple[int, int]:
        value = shift = 0
        for position in range(at, min(stop, at + bytes_limit)):
            byte = self._content[position]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value, position + 1
            shift += 7
        raise BundleError("is not an ONNX file")


def check_onnx(content: bytes, name: str) -> None:
    """Raises BundleError unless the model is one flat graph of known operators, data inside."""
    try:
        _Walk(content).model()
    except BundleError as error:
        raise BundleError(f"{name} {error}") from None
