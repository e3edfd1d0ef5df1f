import shutil
from pathlib import Path

import pytest

from model_export.__main__ import main
from model_export.run import Run
from tests.model_export.opinions import small_configuration, write_configuration


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    return write_configuration(tmp_path / "small.toml", small_configuration())


def run_main(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr("sys.argv", ["model_export", *map(str, arguments)])
    return main()


def assert_one_sentence(capsys: pytest.CaptureFixture[str], *parts: str) -> None:
    error = capsys.readouterr().err.strip()
    assert error.startswith("error: ")
    assert "\n" not in error
    for part in parts:
        assert part in error


def test_a_bad_row_ends_training_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    configuration: Path,
    tmp_path: Path,
) -> None:
    (tmp_path / "train.jsonl").write_text('{"text": "good"}\n{"text": 3}\n')
    options = ("--config", configuration, "--data", tmp_path, "--run", tmp_path / "run")
    assert run_main(monkeypatch, "train", *options) == 1
    assert_one_sentence(capsys, "train.jsonl:2: ", "not a string")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("seed = ", "is not TOML"),
        ('name = "a"\nversion = "1.0.0"\nlabels = {a = "a", b = "b"}\nepochs = 3', "epochs"),
        ('name = "a"\nversion = "1.0.0"\nlabels = {a = "a"}', "labels"),
    ],
)
def test_a_bad_configuration_ends_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    text: str,
    part: str,
) -> None:
    configuration = tmp_path / "bad.toml"
    configuration.write_text(text)
    options = ("--config", configuration, "--data", tmp_path, "--run", tmp_path / "run")
    assert run_main(monkeypatch, "train", *options) == 1
    assert_one_sentence(capsys, str(configuration), part)


def test_exporting_what_is_no_run_ends_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    options = ("--run", tmp_path, "--bundle", tmp_path / "bundle")
    assert run_main(monkeypatch, "export", *options) == 1
    assert_one_sentence(capsys, "is not a training run")


def test_exporting_a_run_of_another_release_ends_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run = Run(tmp_path / "run")
    run.open_for(small_configuration(), {})
    facts = run.facts_path.read_text().replace('"merged_cycles"', '"merged_falls"')
    run.facts_path.write_text(facts)
    options = ("--run", run.directory, "--bundle", tmp_path / "bundle")
    assert run_main(monkeypatch, "export", *options) == 1
    assert_one_sentence(capsys, str(run.directory), "another release", "merged_falls")


def test_verify_fails_for_a_bundle_that_was_tampered_with(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    trained: Run,
    tmp_path: Path,
) -> None:
    bundle = tmp_path / "bundle"
    assert run_main(monkeypatch, "export", "--run", trained.directory, "--bundle", bundle) == 0
    assert run_main(monkeypatch, "verify", "--bundle", bundle) == 0
    capsys.readouterr()
    shutil.copyfile(bundle / "model.ts", bundle / "model.onnx")
    assert run_main(monkeypatch, "verify", "--bundle", bundle) == 1
    assert_one_sentence(capsys, "model.onnx")


def test_help_names_every_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        run_main(monkeypatch, "--help")
    assert exit_.value.code == 0
    shown = capsys.readouterr().out
    for command in ("fetch-data", "train", "export", "verify", "evaluate", "card"):
        assert command in shown


@pytest.mark.parametrize(
    ("device", "part"),
    [("cuda:99", "device cuda:99: torch sees"), ("gpu", "device gpu is none of")],
)
def test_a_device_that_is_not_there_ends_training_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    configuration: Path,
    tmp_path: Path,
    device: str,
    part: str,
) -> None:
    options = ("--config", configuration, "--data", tmp_path, "--run", tmp_path / "run")
    assert run_main(monkeypatch, "train", *options, "--device", device) == 1
    assert_one_sentence(capsys, part)
