"""The typed contents of a training configuration file (TOML)."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from model_export.errors import ModelExportError, first_problem

Cell = Literal["lstm", "gru", "rnn"]
Precision = Literal["fp32", "bf16"]
Probability = Annotated[float, Field(ge=0, lt=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Value = TypeVar("Value", int, float)


def in_epoch(values: Sequence[Value], epoch: int) -> Value:
    """What a setting with one entry per epoch says of ``epoch`` (from 1); the last entry holds for
    all that follow."""
    return values[min(epoch, len(values)) - 1]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class VocabularyConfiguration(Section):
    """``size`` counts tokens; a word that is not among them is spelled with shorter ones."""

    size: int = Field(default=14_000, ge=300, le=65_536)
    min_frequency: int = Field(default=3, ge=1)


class ModelConfiguration(Section):
    cell: Cell = "lstm"
    embedding_size: int = Field(default=128, ge=1)
    hidden_size: int = Field(default=128, ge=1)
    layers: int = Field(default=2, ge=1)


class DropoutConfiguration(Section):
    """Probabilities of zeroing: whole tokens, embedding features, features between the layers
    and features of the final states."""

    words: Probability = 0.1
    embedding: Probability = 0.3
    layers: Probability = 0.3
    states: Probability = 0.4


class TeacherConfiguration(Section):
    """Soft labels for unlabelled texts, by a linear bag of n-grams and by the averaged network.

    Each epoch draws ``unlabelled_fraction`` of the unlabelled texts; in their labels the network's
    opinion has the weight ``network_share``, the n-grams' the rest. One entry per epoch, the last
    holds for all that follow.
    """

    unlabelled_fraction: list[Share] = Field(default=[0.0, 0.25], min_length=1)
    unlabelled_weight: float = Field(default=1.0, gt=0)
    network_share: list[Share] = Field(default=[0.0, 0.0, 0.5], min_length=1)


class PretrainingConfiguration(Section):
    """Prediction of corrupted tokens on all texts, before any label is seen.

    ``passes`` are passes over the texts, of which the last may be a part (2.5), cut into windows of
    ``window_tokens``. ``corrupted`` is the share of tokens to predict, of which ``random`` are
    replaced by any token and the others blanked. Tokens more frequent than ``frequent`` are
    predicted less often, by the square root of the ratio: commas teach little.
    """

    passes: float = Field(default=1.0, gt=0)
    window_tokens: int = Field(default=128, ge=2)
    batch_tokens: int = Field(default=8192, ge=1)
    corrupted: Probability = Field(default=0.2, gt=0)
    random: Probability = 0.1
    frequent: float = Field(default=1e-3, gt=0)
    learning_rate: float = Field(default=3e-3, gt=0)
    warmup_steps: int = Field(default=100, ge=0)
    gradient_norm: float = Field(default=1.0, gt=0)


class AdversarialConfiguration(Section):
    """Each batch is learned a second time, which doubles the cost, with the embedded texts moved
    ``norm`` times their own norm to where the loss grows fastest; that loss counts ``weight``
    times. One norm per epoch, the last holds for all that follow; in epochs of norm 0 nothing of
    this happens."""

    norm: list[Annotated[float, Field(ge=0)]] = Field(default=[0.02], min_length=1)
    weight: float = Field(default=1.0, gt=0)


class RestartConfiguration(Section):
    """``after`` so many epochs an annealing cycle begins, from the averaged weights, with a fresh
    optimiser and a learning rate that falls from here."""

    after: int = Field(ge=1)
    learning_rate: float = Field(gt=0)


class TrainingConfiguration(Section):
    """``epochs`` are passes over the labelled texts; ``crop_tokens`` is the longest window taken
    from a text in each of them (the last entry holds for all that follow).

    Within each annealing cycle, which lasts until the next of ``restarts`` or the end, the learning
    rate falls linearly. The best epoch's weights are kept or, with ``merged_cycles`` above 1, the
    mean of those with which so many of the last cycles ended: their errors differ.
    """

    epochs: int = Field(default=8, ge=1)
    crop_tokens: list[Annotated[int, Field(ge=1)]] = Field(default=[256], min_length=1)
    batch_tokens: int = Field(default=8192, ge=1)
    batch_texts: int = Field(default=128, ge=1)
    learning_rate: float = Field(default=2e-3, gt=0)
    restarts: list[RestartConfiguration] = []
    merged_cycles: int = Field(default=1, ge=1)
    warmup_steps: int = Field(default=200, ge=0)
    weight_decay: float = Field(default=0.0, ge=0)
    gradient_norm: float = Field(default=1.0, gt=0)
    average_decay: Probability = 0.999
    label_smoothing: Probability = 0.0
    pooled_loss: float = Field(default=0.0, ge=0)
    patience_epochs: int = Field(default=3, ge=1)
    pretrained_embedding: bool = True


class Configuration(Section):
    """Everything a training depends on besides its texts.

    ``labels`` names the labels as they stand in the data, in logit order:
    ``{"0": "negative", "1": "positive"}``. ``repeat`` gives texts of a file (``"tweets/train"``)
    more or less than one place in each epoch. ``precision`` is that of the recurrent layers'
    products while training; weights, sums of gradients and everything else stay in fp32. ``bf16``
    pays on processors with AVX512-BF16 or AMX, is slow on others with AVX-512, and is fp32 on those
    without.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    version: str = Field(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$")
    seed: int = 1
    precision: Precision = "fp32"
    max_tokens: int = Field(default=4096, ge=1)
    labels: dict[str, str] = Field(min_length=2)
    repeat: dict[str, Annotated[float, Field(gt=0)]] = {}
    vocabulary: VocabularyConfiguration = VocabularyConfiguration()
    model: ModelConfiguration = ModelConfiguration()
    dropout: DropoutConfiguration = DropoutConfiguration()
    pretraining: PretrainingConfiguration | None = None
    training: TrainingConfiguration = TrainingConfiguration()
    teacher: TeacherConfiguration | None = None
    adversarial: AdversarialConfiguration | None = None


def read_configuration(path: Path) -> Configuration:
    """Raises ModelExportError when the file is missing, is no TOML or says something unknown."""
    try:
        return Configuration.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ModelExportError(f"{path}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ModelExportError(f"{path}: is not TOML ({error})") from error
    except ValidationError as error:
        raise ModelExportError(f"{path}: {first_problem(error)}") from error
