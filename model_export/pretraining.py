"""What the texts themselves teach: prediction of corrupted tokens from both directions.

Some input tokens are blanked or replaced, and the last layer's state there has to tell the original
(Devlin et al., NAACL 2019). The whole bidirectional stack learns at once, where two language models
could not share a second layer: each direction would hand the other its answer.
"""

import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from rich.console import Console
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from model_export.batches import EpochPlan, plan_pass
from model_export.classifier import Classifier, TrainingForm
from model_export.configuration import (
    Configuration,
    DropoutConfiguration,
    PretrainingConfiguration,
)
from model_export.corpus import Corpus
from model_export.preparation import TrainingData
from model_export.progress import TokenProgress
from model_export.run import Run, load_tensors, save_tensors
from model_export.schedule import learning_rate
from model_export.team import Team

SHORTEST_WINDOW = 8
# Sets this module's random numbers apart from those that plan the epochs.
STREAM = 0x7072
NO_DROPOUT = DropoutConfiguration(words=0, embedding=0, layers=0, states=0)
LOSS_DECAY = 0.98


@dataclass
class State:
    """``loss`` is a moving average in nats per predicted token, ``first_loss`` that of predicting
    every token by its frequency."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    loss: float = 0.0
    first_loss: float = 0.0


class TokenPredictor(nn.Module):
    """Logits over the vocabulary from states of the last layer; tied to the embedding table."""

    def __init__(self, classifier: Classifier, probabilities: Tensor) -> None:
        super().__init__()
        configuration = classifier.configuration
        self.project = nn.Linear(2 * configuration.hidden_size, configuration.embedding_size)
        # So that the first prediction is each token's frequency as a target.
        nn.init.zeros_(self.project.weight)
        nn.init.zeros_(self.project.bias)
        self.bias = nn.Parameter(probabilities.clamp(min=1e-7).log())  # (vocabulary,)

    def forward(self, states: Tensor, embedding: Tensor) -> Tensor:
        return torch.addmm(self.bias, self.project(states), embedding.t())  # (tokens, vocabulary)


@dataclass(frozen=True)
class Corruption:
    """Which tokens of a batch (batch, time) to predict, what stands there instead, and where
    nothing does."""

    predicted: Tensor  # bool
    token_ids: Tensor
    blank: Tensor  # bool

    def take(self, rows: slice) -> "Corruption":
        return Corruption(self.predicted[rows], self.token_ids[rows], self.blank[rows])


class Pretrainer:
    """One pretraining: network, predictor, optimiser and place in the run."""

    def __init__(
        self,
        configuration: Configuration,
        settings: PretrainingConfiguration,
        data: TrainingData,
        run: Run,
        device: torch.device,
        save_seconds: float,
        team: Team,
        console: Console,
    ) -> None:
        self.settings, self.seed, self.corpus = settings, configuration.seed, data.corpus
        self.run, self.device, self.team, self.console = run, device, team, console
        self.save_seconds = save_seconds
        self.saved_at = time.monotonic()
        self.state = State()
        frequencies = token_frequencies(data.corpus, data.vocabulary_size)
        self.chances = prediction_chances(frequencies, settings)  # (vocabulary,)
        targets = torch.from_numpy(frequencies * self.chances).float()
        torch.manual_seed(configuration.seed)
        self.classifier = Classifier(
            configuration.model, data.vocabulary_size, len(configuration.labels)
        )
        if data.vectors is not None:
            self.classifier.embedding.weight.data.copy_(data.vectors)
        self.form = TrainingForm(self.classifier, NO_DROPOUT, configuration.precision)
        self.predictor = TokenPredictor(self.classifier, targets / targets.sum())
        self.classifier.to(device)
        self.predictor.to(device)
        self.parameters = [
            *self.classifier.embedding.parameters(),
            *self.classifier.recurrent.parameters(),
            *self.predictor.parameters(),
        ]
        self.optimiser = torch.optim.AdamW(
            self.parameters, lr=settings.learning_rate, weight_decay=0.0, fused=True
        )

    def fit(self) -> Classifier:
        """The pretrained network; its last, linear layer has learned nothing."""
        plans = self.plans()
        batches = [(plan, windows) for plan in plans for windows in plan.batches]
        sizes = [int(plan.lengths[windows].sum()) for plan, windows in batches]
        if self.run.pretraining.exists():
            self.load()
        done = sum(sizes[: self.state.step])
        if self.state.step == len(batches):
            return self.classifier
        with TokenProgress(self.console, "pretraining", sum(sizes), done) as progress:
            while self.state.step < len(batches):
                began = time.perf_counter()
                plan, windows = batches[self.state.step]
                loss = self.step(plan, windows, self.state.step / len(batches))
                tokens = sizes[self.state.step]
                if not self.state.step:
                    self.state.first_loss = self.state.loss = loss
                self.state.step += 1
                self.state.tokens += tokens
                self.state.loss += (1 - LOSS_DECAY) * (loss - self.state.loss)
                self.state.seconds += time.perf_counter() - began
                progress.advance(tokens, f"loss {self.state.loss:.3f}")
                if time.monotonic() - self.saved_at > self.save_seconds:
                    self.save()
        self.save()
        self.console.print(
            f"pretraining: loss {self.state.loss:.3f} nats per predicted token, "
            f"{self.state.first_loss:.3f} by frequency alone, {self.state.tokens:,} tokens, "
            f"{self.state.seconds / self.state.tokens * 1e6:.1f} µs/token",
            soft_wrap=True,
        )
        return self.classifier

    def plans(self) -> list[EpochPlan]:
        """One per pass; the last may be a part."""
        plans: list[EpochPlan] = []
        remaining = self.settings.passes
        while remaining > 0:
            plan = plan_pass(
                self.corpus.lengths,
                self.settings.window_tokens,
                SHORTEST_WINDOW,
                self.settings.batch_tokens,
                np.random.default_rng([self.seed, STREAM, len(plans)]),
            )
            del plan.batches[round(min(1.0, remaining) * len(plan.batches)) :]
            plans.append(plan)
            remaining -= 1
        return plans

    def step(self, plan: EpochPlan, windows: npt.NDArray[np.int64], share_done: float) -> float:
        """One update from one batch; returns its loss in nats per predicted token."""
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(
                self.settings.learning_rate,
                self.settings.warmup_steps,
                self.state.step,
                share_done,
            )
        self.optimiser.zero_grad()
        batch = plan.batch(self.corpus, windows)
        generator = np.random.default_rng([self.seed, STREAM, self.state.step, 0])
        corruption = corrupt(
            batch.token_ids, batch.lengths, self.chances, self.settings.random, generator
        )
        mine = slice(self.team.rank, None, self.team.size)
        loss = torch.zeros(())
        if len(windows) > self.team.rank:
            loss = self.loss(batch.token_ids[mine], batch.lengths[mine], corruption.take(mine))
            # Divided by the whole batch's predicted tokens, so that sums are its mean.
            loss = loss / max(1, int(corruption.predicted.sum()))
            loss.backward()  # type: ignore[no-untyped-call]
        self.team.sum_gradients(self.parameters)
        nn.utils.clip_grad_norm_(self.parameters, self.settings.gradient_norm)
        self.optimiser.step()
        return float(self.team.sum(loss.detach().clone()))

    def loss(self, token_ids: Tensor, lengths: Tensor, corruption: Corruption) -> Tensor:
        """The summed cross entropy of the predicted among ids (batch, time)."""
        predicted = corruption.predicted.t()  # (time, batch)
        targets = token_ids.t()[predicted].to(self.device)  # (tokens,)
        # Only these, since the product with the whole table costs as much as the network.
        states = self.outputs(lengths, corruption)[predicted.to(self.device)]
        with self.form.autocast():
            logits = self.predictor(states, self.classifier.embedding.weight)
        return cross_entropy(logits.float(), targets, reduction="sum")

    def outputs(self, lengths: Tensor, corruption: Corruption) -> Tensor:
        """States of the last layer (time, batch, 2 * hidden) over the corrupted texts."""
        features = self.form.embed(corruption.token_ids.to(self.device))
        features = features * ~corruption.blank.t().unsqueeze(2).to(self.device)
        return self.form.outputs(features, lengths.to(self.device))

    def save(self) -> None:
        if not self.team.leads:
            return
        save_tensors(
            self.run.pretraining,
            {
                "state": vars(self.state),
                "classifier": self.classifier.state_dict(),
                "predictor": self.predictor.state_dict(),
                "optimiser": self.optimiser.state_dict(),
            },
        )
        self.saved_at = time.monotonic()

    def load(self) -> None:
        checkpoint = load_tensors(self.run.pretraining)
        self.state = State(**checkpoint["state"])
        self.classifier.load_state_dict(checkpoint["classifier"])
        self.predictor.load_state_dict(checkpoint["predictor"])
        self.optimiser.load_state_dict(checkpoint["optimiser"])


def token_frequencies(corpus: Corpus, vocabulary_size: int) -> npt.NDArray[np.float64]:
    counts = np.bincount(corpus.token_ids, minlength=vocabulary_size)
    return np.asarray(counts / max(1, counts.sum()), np.float64)  # (vocabulary,)


def prediction_chances(
    frequencies: npt.NDArray[np.float64], settings: PretrainingConfiguration
) -> npt.NDArray[np.float64]:
    """How likely an occurrence of each token is to be predicted; ``corrupted`` of all are."""
    weights = np.sqrt(settings.frequent / frequencies.clip(min=settings.frequent))
    chances = weights * (settings.corrupted / float(frequencies @ weights))
    return np.asarray(chances.clip(max=0.5), np.float64)  # (vocabulary,)


def corrupt(
    token_ids: Tensor,
    lengths: Tensor,
    chances: npt.NDArray[np.float64],
    random: float,
    generator: np.random.Generator,
) -> Corruption:
    """Draw what to predict of ids (batch, time); never padding."""
    ids = token_ids.numpy()
    inside = np.arange(ids.shape[1]) < lengths.numpy()[:, None]
    predicted = (generator.random(ids.shape) < chances[ids]) & inside
    replaced = predicted & (generator.random(ids.shape) < random)
    others = generator.integers(0, len(chances), ids.shape)
    return Corruption(
        torch.from_numpy(predicted),
        torch.from_numpy(np.where(replaced, others, ids)),
        torch.from_numpy(predicted & ~replaced),
    )
