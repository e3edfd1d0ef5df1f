"""A small data directory of our own making, with as many labels as a test wants."""

import json
import random
from pathlib import Path

from rich.console import Console

from model_export.configuration import Configuration
from model_export.export import export
from model_export.run import Run
from service.engine.bundle import Bundle

WORDS = {
    "bad": ["dreadful", "awful", "dire", "poor", "broken"],
    "good": ["lovely", "great", "superb", "fine", "charming"],
    "fair": ["average", "ordinary", "passable", "usual", "plain"],
}
FILLERS = ["the", "film", "was", "a", "very", "and", "plot", "scene", "it", "room", "phone"]


def write_opinions(directory: Path, labels: tuple[str, ...] = ("bad", "good")) -> Path:
    """Texts of 1 to 30 words, one of which decides; returns the directory."""
    draw = random.Random(7)

    def row(index: int, labelled: bool) -> str:
        label = labels[index % len(labels)]
        text = draw.choices(FILLERS, k=draw.randint(0, 29))
        text.insert(draw.randint(0, len(text)), draw.choice(WORDS[label]))
        return json.dumps({"label": label if labelled else None, "text": " ".join(text)}) + "\n"

    kind = directory / "opinions"
    kind.mkdir(parents=True)
    for name, count in (("train", 240), ("dev", 60), ("unlabelled", 60)):
        rows = [row(index, name != "unlabelled") for index in range(count)]
        (kind / f"{name}.jsonl").write_text("".join(rows), encoding="utf-8")
    return directory


def small_configuration(**changes: object) -> Configuration:
    """A network that learns the opinions in seconds."""
    return Configuration.model_validate(
        {
            "name": "opinions",
            "version": "1.0.0",
            "max_tokens": 512,
            "labels": {"bad": "negative", "good": "positive"},
            "vocabulary": {"size": 320, "min_frequency": 1},
            "model": {"embedding_size": 12, "hidden_size": 16, "layers": 2},
            "dropout": {"words": 0.0, "embedding": 0.1, "layers": 0.1, "states": 0.1},
            "training": {
                "epochs": 4,
                "batch_texts": 16,
                "learning_rate": 2e-2,
                "warmup_steps": 5,
                "average_decay": 0.8,
                "pooled_loss": 0.5,
            },
            "teacher": {"unlabelled_fraction": [0.0, 0.5], "network_share": [0.0, 0.0, 0.5]},
            **changes,
        }
    )


def write_configuration(path: Path, configuration: Configuration) -> Path:
    """JSON values are TOML values here, as are inline tables with quoted keys."""

    def value(found: object) -> str:
        if isinstance(found, dict):
            pairs = (f"{json.dumps(key)} = {value(part)}" for key, part in found.items())
            return "{" + ", ".join(pairs) + "}"
        return json.dumps(found)

    dumped = configuration.model_dump(mode="json", exclude_none=True)
    path.write_text("".join(f"{key} = {value(found)}\n" for key, found in dumped.items()))
    return path


def publish(run: Run, directory: Path) -> Bundle:
    """The run's model as a bundle, the calibrated and traced forms included."""
    export(run, directory / "bundle", None, Console(quiet=True))
    return Bundle(directory / "bundle")
