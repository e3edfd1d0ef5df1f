"""``verify --oracle``: a bundle passes when every form of it agrees with the equations."""

from pathlib import Path

import pytest
from rich.console import Console
from safetensors.numpy import load, save

from model_export.__main__ import main
from model_export.verify import proven_backends, verify_oracle
from service.engine.bundle import Bundle
from service.engine.golden import read_golden
from tests.model_export.random_bundle import write_random_bundle
from tests.model_export.signed_file import replace_file

SHIPPED = Path(__file__).parents[2] / "models" / "sentiment"


def failures(bundle: Bundle) -> set[str]:
    golden = read_golden(bundle)
    backends, _ = proven_backends(bundle, golden)
    assert {backend.name for backend in backends} == set(bundle.manifest.backends)
    checks = verify_oracle(bundle, golden, backends, Console(quiet=True))
    # golden.json; every backend, alone and together
    assert len(checks) == 1 + 2 * len(backends)
    return {check.name for check in checks if not check.passed}


def nudge_a_weight(bundle: Bundle) -> None:
    """Change one weight a little, as a wrong gate order would change many, and sign it."""
    weights = load(bundle.read("weights.safetensors"))
    weights["linear.bias"][0] += 1e-3
    replace_file(bundle, "weights.safetensors", save(weights))


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_what_was_exported_agrees_with_the_equations(cell: str, tmp_path: Path) -> None:
    assert failures(write_random_bundle(tmp_path, cell)) == set()


def test_the_shipped_bundle_agrees_with_the_equations() -> None:
    assert failures(Bundle(SHIPPED)) == set()


def test_forms_that_do_not_come_from_the_weights_are_found(tmp_path: Path) -> None:
    bundle = write_random_bundle(tmp_path)
    nudge_a_weight(bundle)
    assert {
        "oracle: logits of golden.json",
        "oracle: torchscript, texts alone",
        "oracle: onnx, texts together",
    } <= failures(Bundle(tmp_path))


def test_the_exit_code_says_whether_all_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = write_random_bundle(tmp_path)
    monkeypatch.setattr("sys.argv", ["", "verify", "--bundle", str(tmp_path), "--oracle"])
    assert main() == 0
    assert "oracle: onnx" in capsys.readouterr().out
    nudge_a_weight(bundle)
    assert main() == 1
