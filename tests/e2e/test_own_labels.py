"""Labels of one's own go from texts to answers with the commands of the README."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.running_service import running_service
from tests.model_export.opinions import small_configuration, write_configuration, write_opinions

LABELS = {"bad": "thumbs down", "fair": "so-so", "good": "thumbs up"}


def model_export(*arguments: object) -> None:
    command = [sys.executable, "-m", "model_export", *map(str, arguments)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=240)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_three_labels_are_trained_exported_verified_and_served(tmp_path: Path, cell: str) -> None:
    data = write_opinions(tmp_path / "data", labels=tuple(LABELS))
    model = small_configuration().model.model_dump() | {"cell": cell}
    # A plain recurrent layer takes longer to learn than those with gates.
    longer = {"epochs": 10, "learning_rate": 1e-2} if cell == "rnn" else {}
    training = small_configuration().training.model_dump() | longer
    configuration = small_configuration(labels=LABELS, model=model, training=training)
    config = write_configuration(tmp_path / "mine.toml", configuration)
    run, bundle = tmp_path / "run", tmp_path / "bundle"
    model_export("train", "--config", config, "--data", data, "--run", run)
    model_export("export", "--run", run, "--bundle", bundle, "--data", data)
    model_export("verify", "--bundle", bundle, "--data", data)
    texts = {"the plot was dire": "thumbs down", "a superb scene": "thumbs up"}
    texts["it was an ordinary room"] = "so-so"
    with running_service(bundle=bundle, max_tokens=512) as service:
        for text, label in texts.items():
            scores = service.predict(text).json()
            assert [len(scores), scores[0]["label"]] == [3, label], text
