import subprocess
import sys

from service.engine.backends.registry import BACKENDS, automatic


def test_each_device_has_its_order_of_candidates() -> None:
    assert [kind.name for kind in automatic("cpu")] == ["onnx"]
    assert [kind.name for kind in automatic("cuda:1")] == ["torchscript", "onnx"]


def test_auto_tries_a_backend_only_where_it_runs() -> None:
    for kind in BACKENDS.values():
        assert set(kind.automatic_on) <= set(kind.devices)


def test_names_are_known_without_loading_any_runtime() -> None:
    program = (
        "import sys; from service.settings import read_settings;"
        "read_settings(['--backend', 'onnx']);"
        "print(sorted({'numpy', 'onnxruntime', 'tokenizers', 'torch'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"
