"""What the texts themselves teach: prediction of corrupted tokens from both directions.

Some input tokens are blanked or replaced, and the last layer's state there has to tell the original
(Devlin et al., NAACL 2019). The whole bidirectional stack learns at once, where two language models
could not share a second layer: each direction would hand the other its answer.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from model_export.batches import EpochPlan, plan_pass
from model_export.checkpoint import Place
from model_export.classifier import Classifier, TrainingForm
from model_export.configuration import (
    Configuration,
    DropoutConfiguration,
    PretrainingConfiguration,
)
from model_export.corpus import Int64s
from model_export.corruption import Corruption, corrupt, prediction_chances, token_frequencies
from model_export.environment import Environment
from model_export.preparation import TrainingData
from model_export.schedule import learning_rate
from model_export.steps import Updates, take_steps

SHORTEST_WINDOW = 8
# Sets this module's random numbers apart from those that plan the epochs.
STREAM = 0x7072
NO_DROPOUT = DropoutConfiguration(words=0, embedding=0, layers=0, states=0)
LOSS_DECAY = 0.98


@dataclass
class PretrainingPlace(Place):
    """``loss`` is a moving average in nats per predicted token, ``first_loss`` that of predicting
    every token by its frequency."""

    loss: float = 0.0
    first_loss: float = 0.0

    def advance(self, loss: float, tokens: int, seconds: float) -> None:
        if not self.step:
            self.first_loss = self.loss = loss
        self.loss += (1 - LOSS_DECAY) * (loss - self.loss)
        super().advance(loss, tokens, seconds)

    @property
    def shown_loss(self) -> float:
        return self.loss


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


class Pretrainer:
    """One pretraining: network, predictor, optimiser and place in the run."""

    def __init__(
        self,
        configuration: Configuration,
        settings: PretrainingConfiguration,
        data: TrainingData,
        environment: Environment,
    ) -> None:
        self.settings, self.seed, self.corpus = settings, configuration.seed, data.corpus
        self.device, self.team = environment.device, environment.team
        self.console = environment.console
        self.place = PretrainingPlace()
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
        self.classifier.to(self.device)
        self.predictor.to(self.device)
        learned = (self.classifier.embedding, self.classifier.recurrent, self.predictor)
        parameters = [parameter for part in learned for parameter in part.parameters()]
        self.updates = Updates(parameters, settings.gradient_norm, self.team)
        self.checkpoint = environment.checkpoint(
            environment.run.pretraining,
            classifier=self.classifier,
            predictor=self.predictor,
            optimiser=self.updates.optimiser,
        )

    def fit(self) -> Classifier:
        """The pretrained network; its last, linear layer has learned nothing."""
        plans = self.plans()
        batches = [(plan, windows) for plan in plans for windows in plan.batches]
        if self.checkpoint.exists():
            self.place = PretrainingPlace(**self.checkpoint.load())
        if self.place.step == len(batches):
            return self.classifier
        take_steps(
            "pretraining",
            [tokens for plan in plans for tokens in plan.batch_tokens()],
            lambda: self.update(*batches[self.place.step], self.place.step / len(batches)),
            self.place,
            self.checkpoint,
            self.console,
        )
        self.checkpoint.save(self.place)
        self.console.print(
            f"pretraining: loss {self.place.loss:.3f} nats per predicted token, "
            f"{self.place.first_loss:.3f} by frequency alone, {self.place.tokens:,} tokens, "
            f"{self.place.seconds / self.place.tokens * 1e6:.1f} µs/token",
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

    def update(self, plan: EpochPlan, windows: Int64s, share_done: float) -> float:
        """One update from one batch; returns its loss in nats per predicted token."""
        rate = learning_rate(
            self.settings.learning_rate, self.settings.warmup_steps, self.place.step, share_done
        )
        return self.updates.update(rate, lambda: self.learn(plan, windows))

    def learn(self, plan: EpochPlan, windows: Int64s) -> Tensor:
        """Add the gradients of this process's share of a batch; returns its part of the loss."""
        batch = plan.batch(self.corpus, windows)
        generator = np.random.default_rng([self.seed, STREAM, self.place.step, 0])
        corruption = corrupt(
            batch.token_ids, batch.lengths, self.chances, self.settings.random, generator
        )
        if len(windows) <= self.team.rank:
            return torch.zeros(())
        mine = slice(self.team.rank, None, self.team.size)
        loss = self.loss(batch.token_ids[mine], batch.lengths[mine], corruption.take(mine))
        # Divided by the whole batch's predicted tokens, so that sums are its mean.
        loss = loss / max(1, int(corruption.predicted.sum()))
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

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
