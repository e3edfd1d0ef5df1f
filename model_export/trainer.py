"""Training on labels: epochs of updates, averaged weights, the best of which are kept."""

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from model_export.batches import EpochPlan, plan_epoch
from model_export.checkpoint import Place
from model_export.classification_loss import ClassificationLoss, LabelledBatch
from model_export.classifier import Classifier, TrainingForm
from model_export.configuration import Configuration, in_epoch
from model_export.corpus import Corpus, Int64s
from model_export.environment import Environment
from model_export.prediction import accuracy, predict_logits
from model_export.preparation import TrainingData
from model_export.progress import TokenProgress
from model_export.run import load_tensors, save_tensors, write_whole
from model_export.schedule import cycle_ends, scheduled_rate
from model_export.steps import Updates, take_steps
from model_export.targets import Targets

STEP_SEEDS = 1 << 32


@dataclass
class TrainingPlace(Place):
    """``step`` counts within the epoch; ``restarted_at`` is what ``steps_done`` was at the last
    restart, ``loss_sum`` the sum over the epoch's steps."""

    epoch: int = 0
    steps_done: int = 0
    restarted_at: int = 0
    loss_sum: float = 0.0
    best_accuracy: float = -1.0
    epochs_without_gain: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)

    def advance(self, loss: float, tokens: int, seconds: float) -> None:
        super().advance(loss, tokens, seconds)
        self.steps_done += 1
        self.loss_sum += loss

    @property
    def shown_loss(self) -> float:
        return self.loss_sum / self.step


class Trainer:
    """One training: network, averaged network, optimiser and place in the run."""

    def __init__(
        self, configuration: Configuration, data: TrainingData, environment: Environment
    ) -> None:
        self.configuration, self.settings = configuration, configuration.training
        self.data, self.run = data, environment.run
        self.device, self.team = environment.device, environment.team
        self.console = environment.console
        self.place = TrainingPlace()
        labels = len(configuration.labels)
        torch.manual_seed(configuration.seed)
        self.classifier = Classifier(configuration.model, data.vocabulary_size, labels)
        self.averaged = Classifier(configuration.model, data.vocabulary_size, labels)
        self.classifier.to(self.device)
        self.averaged.to(self.device)
        self.form = TrainingForm(self.classifier, configuration.dropout, configuration.precision)
        adversarial = configuration.adversarial
        self.loss = ClassificationLoss(
            self.form, self.settings.pooled_loss, adversarial.weight if adversarial else 0.0
        )
        self.updates = Updates(
            self.classifier.parameters(),
            self.settings.gradient_norm,
            self.team,
            self.settings.weight_decay,
        )
        self.targets = Targets(configuration, data)
        self.checkpoint = environment.checkpoint(
            self.run.checkpoint,
            classifier=self.classifier,
            averaged=self.averaged,
            optimiser=self.updates.optimiser,
        )
        if data.vectors is not None:
            self.classifier.embedding.weight.data.copy_(data.vectors)

    def begin_from(self, pretrained: Classifier) -> None:
        """Take all but the linear layer of a pretrained network."""
        self.classifier.embedding.load_state_dict(pretrained.embedding.state_dict())
        self.classifier.recurrent.load_state_dict(pretrained.recurrent.state_dict())

    def fit(self) -> None:
        if self.checkpoint.exists():
            self.place = TrainingPlace(**self.checkpoint.load())
            place = f"epoch {self.place.epoch + 1}, step {self.place.step + 1}"
            self.console.print(f"going on in {place}")
        else:
            self.averaged.load_state_dict(self.classifier.state_dict())
        while self.place.epoch < self.settings.epochs:
            if self.place.epochs_without_gain >= self.settings.patience_epochs:
                self.console.print(f"no gain for {self.settings.patience_epochs} epochs: stopped")
                break
            self.train_epoch(self.place.epoch + 1)
        self.merge_cycles()
        self.console.print(f"kept, macro average over dev files: {self.place.best_accuracy:.2%}")

    def train_epoch(self, epoch: int) -> None:
        if not self.place.step:
            self.restart_if_due()
        plan = self.plan(epoch)
        self.set_targets(epoch, plan)
        self.form.train()
        take_steps(
            f"epoch {epoch}",
            plan.batch_tokens(),
            lambda: self.update(plan),
            self.place,
            self.checkpoint,
            self.console,
        )
        self.end_epoch(epoch, self.place.loss_sum / len(plan.batches))

    def restart_if_due(self) -> None:
        if any(restart.after == self.place.epoch for restart in self.settings.restarts):
            self.classifier.load_state_dict(self.averaged.state_dict())
            self.updates.forget()
            self.place.restarted_at = self.place.steps_done

    def plan(self, epoch: int) -> EpochPlan:
        shares = self.data.shares.copy()
        teacher = self.configuration.teacher
        fraction = in_epoch(teacher.unlabelled_fraction, epoch) if teacher else 0
        shares[self.data.labelled :] *= fraction
        return plan_epoch(
            self.data.corpus.lengths,
            shares,
            in_epoch(self.settings.crop_tokens, epoch),
            self.settings.batch_tokens,
            self.settings.batch_texts,
            np.random.default_rng([self.configuration.seed, epoch]),
        )

    def set_targets(self, epoch: int, plan: EpochPlan) -> None:
        self.targets.set(epoch, plan.texts, lambda texts: self.network_labels(epoch, texts))

    def network_labels(self, epoch: int, texts: Int64s) -> Tensor:
        """Probabilities (texts, labels) by the averaged weights at the beginning of ``epoch``."""
        path = self.run.directory / f"soft_labels-{epoch}.pt"
        if path.exists():
            soft: Tensor = load_tensors(path)
        else:
            soft = self.predict("labelling unlabelled texts", self.data.corpus.take(texts))
            soft = soft.softmax(1)
            if self.team.leads:
                save_tensors(path, soft)
        return soft

    def update(self, plan: EpochPlan) -> float:
        """One update from the next batch of ``plan``; returns its loss."""
        place = self.place
        epochs_done = place.epoch + place.step / len(plan.batches)
        rate = scheduled_rate(self.settings, place.steps_done - place.restarted_at, epochs_done)
        loss = self.updates.update(rate, lambda: self.learn(plan, plan.batches[place.step]))
        self.average()
        return loss

    def learn(self, plan: EpochPlan, windows: Int64s) -> Tensor:
        """Add the gradients of this process's share of a batch; returns its part of the loss."""
        seed = self.place.steps_done * self.team.size + self.team.rank
        torch.manual_seed(self.configuration.seed * STEP_SEEDS + seed)
        mine = windows[self.team.rank :: self.team.size]
        if not len(mine):
            return torch.zeros(())
        batch = plan.batch(self.data.corpus, mine)
        labelled = LabelledBatch(
            batch.token_ids.to(self.device),
            batch.lengths.to(self.device),
            self.targets.probabilities[batch.texts].to(self.device),
            self.targets.weights[batch.texts].to(self.device),
        )
        adversarial = self.configuration.adversarial
        norm = in_epoch(adversarial.norm, self.place.epoch + 1) if adversarial else 0.0
        # Losses are divided by the whole batch's number of texts, so that sums are its mean.
        return self.loss.learn(labelled, 1 / len(windows), norm)

    def average(self) -> None:
        """Exponential moving average of the weights, young at first so that it is never stale."""
        decay = min(
            self.settings.average_decay, (1 + self.place.steps_done) / (10 + self.place.steps_done)
        )
        with torch.no_grad():
            for mean, now in zip(
                self.averaged.parameters(), self.classifier.parameters(), strict=True
            ):
                mean.lerp_(now, 1 - decay)

    def predict(self, title: str, corpus: Corpus) -> Tensor:
        """Logits (texts, labels) of the averaged network, the texts shared out over the team."""
        mine = np.arange(self.team.rank, len(corpus), self.team.size)
        part = corpus.take(mine)
        logits = torch.zeros(len(corpus), len(self.configuration.labels))
        with TokenProgress(self.console, title, len(part.token_ids)) as progress:
            logits[mine] = predict_logits(self.averaged, part, progress.advance)
        return self.team.sum(logits)

    def validate(self) -> tuple[dict[str, float], float]:
        """Accuracy of the averaged weights on each dev file, and their macro average."""
        accuracies = {
            name: accuracy(self.predict("validating", corpus), torch.from_numpy(corpus.labels))
            for name, corpus in self.data.dev.items()
        }
        return accuracies, sum(accuracies.values()) / max(1, len(accuracies))

    def end_epoch(self, epoch: int, loss: float) -> None:
        accuracies, macro = self.validate()
        speed = self.place.seconds / self.place.tokens * 1e6
        self.place.history.append(
            {
                "epoch": epoch,
                "loss": loss,
                "macro_accuracy": macro,
                "accuracy": accuracies,
                "tokens": self.place.tokens,
                "microseconds_per_token": speed,
            }
        )
        self.console.print(
            f"epoch {epoch}: loss {loss:.4f}, {listed(accuracies, macro)}, {speed:.1f} µs/token",
            soft_wrap=True,
        )
        self.place.epoch, self.place.step, self.place.loss_sum = epoch, 0, 0.0
        # Without dev texts the latest weights are the best known.
        improved = not accuracies or macro > self.place.best_accuracy
        if improved:
            self.place.best_accuracy = macro
        self.place.epochs_without_gain = 0 if improved else self.place.epochs_without_gain + 1
        if self.team.leads:
            self.write_epoch(epoch, improved)
        self.checkpoint.save(self.place)

    def write_epoch(self, epoch: int, improved: bool) -> None:
        weights = self.averaged.state_dict()
        if improved:
            save_tensors(self.run.best, {"weights": weights, "history": self.place.history})
        if epoch in cycle_ends(self.settings):
            save_tensors(self.run.weights(epoch), weights)
        history = json.dumps(self.place.history, indent=2) + "\n"
        write_whole(self.run.directory / "history.json", lambda path: path.write_text(history))

    def merge_cycles(self) -> None:
        """Keep the mean of the weights with which the last annealing cycles ended."""
        ends = [end for end in cycle_ends(self.settings) if end <= self.place.epoch]
        merged = ends[-self.settings.merged_cycles :]
        if len(merged) < 2:
            return
        self.team.wait()
        found = [load_tensors(self.run.weights(epoch)) for epoch in merged]
        mean = {name: torch.stack([each[name] for each in found]).mean(0) for name in found[0]}
        self.averaged.load_state_dict(mean)
        accuracies, macro = self.validate()
        epochs = " and ".join(map(str, merged))
        self.console.print(f"epochs {epochs} merged: {listed(accuracies, macro)}", soft_wrap=True)
        self.place.best_accuracy = macro
        if self.team.leads:
            save_tensors(self.run.best, {"weights": mean, "history": self.place.history})


def listed(accuracies: dict[str, float], macro: float) -> str:
    each = ", ".join(f"{name} {share:.2%}" for name, share in accuracies.items())
    return f"macro {macro:.2%} ({each})"
