"""What must hold for any bytes at all: an answer, or one sentence that says why not."""

from pathlib import Path

from service.engine.backends.onnx_contents import check_onnx
from service.engine.bundle import Bundle, BundleError
from service.failure import Failure
from service.http.request_body import parse_predict, parse_tokenize, texts_of

MAX_TEXTS = 3


def body_is_read_or_refused(body: bytes) -> None:
    """The parsers of ``/predict`` and ``/tokenize``."""
    for parser in (parse_predict, parse_tokenize):
        try:
            texts, _ = texts_of(parser(body).inputs, MAX_TEXTS)
        except Failure as failure:
            _assert_sentence(failure, about="")
            continue
        assert 1 <= len(texts) <= MAX_TEXTS
        for text in texts:
            assert text.strip()
            text.encode()


def manifest_opens_or_is_refused(directory: Path, content: bytes) -> None:
    """``directory`` holds no file of a bundle beside this manifest."""
    (directory / "manifest.json").write_bytes(content)
    try:
        bundle = Bundle(directory)
    except BundleError as refusal:
        _assert_sentence(refusal, about=str(directory))
        return
    for name in bundle.manifest.files:
        assert (directory / name).parent == directory
        try:
            bundle.read(name)
        except BundleError as refusal:
            _assert_sentence(refusal, about=str(directory))
        else:
            raise AssertionError(f"{name} was read though it is not there")


def onnx_passes_or_is_refused(content: bytes) -> None:
    try:
        check_onnx(content, "model.onnx")
    except BundleError as refusal:
        _assert_sentence(refusal, about="model.onnx ")


def _assert_sentence(error: Exception, about: str) -> None:
    sentence = str(error)
    assert sentence.startswith(about)
    assert "\n" not in sentence
    assert len(sentence) < 1000
    sentence.encode()
