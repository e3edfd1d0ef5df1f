"""What ``packed-sentiment`` can do, which module does it, and what that needs installed."""

import importlib.util
from dataclasses import dataclass

# By extra of this package, one module that the extra brings and no other one does. The GPU extra
# brings the same ONNX Runtime as the CPU one.
PROBES = {"cpu": "onnxruntime", "train": "torch"}
SERVING = ("cpu",)
TRAINING = ("cpu", "train")


@dataclass(frozen=True, slots=True)
class Command:
    module: str  # run as `python -m MODULE`
    arguments: tuple[str, ...]  # that go before the user's
    extras: tuple[str, ...]
    summary: str

    def missing_extras(self) -> list[str]:
        """Extras that have to be installed first."""
        return [extra for extra in self.extras if importlib.util.find_spec(PROBES[extra]) is None]


def _model_export(name: str, summary: str) -> Command:
    return Command("model_export", (name,), TRAINING, summary)


def _textbook(name: str, summary: str) -> Command:
    return Command("textbook", (name,), TRAINING, summary)


COMMANDS = {
    "serve": Command("service", (), SERVING, "answer predictions over HTTP"),
    "fetch-data": _model_export("fetch-data", "fetch IMDb and SST-2 from their authors"),
    "train": _model_export("train", "learn a classifier from labelled texts"),
    "ablate": _model_export("ablate", "compare variants of a training recipe"),
    "export": _model_export("export", "trace, verify and publish what was learned as a bundle"),
    "verify": _model_export("verify", "prove that every form of a bundle's model answers alike"),
    "evaluate": _model_export("evaluate", "measure a bundle's accuracy"),
    "card": _model_export("card", "evaluate a bundle and write its model card"),
    "speed": _textbook("speed", "time every way to compute the same answers"),
    "roofline": _textbook("roofline", "compare each form of a model with this machine's limits"),
}
