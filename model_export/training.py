"""From texts to the best weights, stoppable and resumable at any moment.

A run killed anywhere and started again ends with the weights of an uninterrupted one: each epoch's
batches are a function of seed and epoch, each step seeds its own dropout, and everything else
stands in the checkpoint.
"""

import json
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from model_export.batches import Batch, EpochPlan, plan_epoch
from model_export.classifier import Classifier, TrainingForm
from model_export.configuration import Configuration, TrainingConfiguration, in_epoch
from model_export.corpus import Corpus, Int64s
from model_export.dataset import find_data_files
from model_export.device import check_device
from model_export.prediction import accuracy, predict_logits
from model_export.preparation import TrainingData, prepare
from model_export.pretraining import Pretrainer
from model_export.progress import TokenProgress
from model_export.run import Run, load_tensors, save_tensors, write_whole
from model_export.schedule import learning_rate
from model_export.team import Team, assemble

SAVE_SECONDS = 60.0
STEP_SEEDS = 1 << 32


@dataclass
class State:
    """What a checkpoint holds beside the optimiser's state.

    ``step`` counts within the epoch; ``restarted_at`` is what ``steps_done`` was at the last
    restart.
    """

    epoch: int = 0
    step: int = 0
    steps_done: int = 0
    restarted_at: int = 0
    tokens: int = 0
    seconds: float = 0.0
    loss_sum: float = 0.0
    best_accuracy: float = -1.0
    epochs_without_gain: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)


def train(
    configuration: Configuration,
    data: Path,
    run: Run,
    device: str,
    processes: int,
    console: Console,
    save_seconds: float = SAVE_SECONDS,
) -> None:
    """Train until the epochs are done or patience ends, leaving ``best.pt`` in the run.

    Raises:
        ModelExportError: bad data, or a run directory that belongs to something else, or no such
            device.
    """
    check_device(device)
    files = find_data_files(data)
    run.open_for(configuration, {file.name: file.sha256() for file in files})
    prepare(configuration, files, run, console)  # for all processes, before they start
    follow = partial(fit, configuration, data, run, device, save_seconds)
    with assemble(processes, follow) as team:
        follow(team, console)


def fit(
    configuration: Configuration,
    data: Path,
    run: Run,
    device: str,
    save_seconds: float,
    team: Team,
    console: Console | None = None,
) -> None:
    """What each process of a team does with the prepared run; only the leader has a console."""
    if device == "cpu":
        torch.set_num_threads(max(1, torch.get_num_threads() // team.size))
        # Denormal gradients make an LSTM's backward pass ten times slower.
        torch.set_flush_denormal(True)
    console = console or Console(quiet=True)
    prepared = prepare(configuration, find_data_files(data), run, Console(quiet=True))
    place = torch.device(device)
    trainer = Trainer(configuration, prepared, run, place, save_seconds, team, console)
    settings = configuration.pretraining
    if settings and not run.checkpoint.exists():
        pretrainer = Pretrainer(
            configuration, settings, prepared, run, place, save_seconds, team, console
        )
        trainer.begin_from(pretrainer.fit())
    trainer.fit()


class Trainer:
    """One training: network, averaged network, optimiser and place in the run."""

    def __init__(
        self,
        configuration: Configuration,
        data: TrainingData,
        run: Run,
        device: torch.device,
        save_seconds: float,
        team: Team,
        console: Console,
    ) -> None:
        self.configuration, self.data, self.run = configuration, data, run
        self.device, self.team, self.console = device, team, console
        self.settings = configuration.training
        self.state = State()
        self.save_seconds = save_seconds
        self.saved_at = time.monotonic()
        labels = len(configuration.labels)
        torch.manual_seed(configuration.seed)
        self.classifier = Classifier(configuration.model, data.vocabulary_size, labels)
        self.averaged = Classifier(configuration.model, data.vocabulary_size, labels)
        self.classifier.to(device)
        self.averaged.to(device)
        self.form = TrainingForm(self.classifier, configuration.dropout, configuration.precision)
        self.optimiser = self.new_optimiser()
        self.targets = torch.zeros(len(data.corpus), labels)  # (texts, labels)
        self.weights = torch.ones(len(data.corpus))  # (texts,)

        if data.vectors is not None:
            self.classifier.embedding.weight.data.copy_(data.vectors)

    def new_optimiser(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(
            self.classifier.parameters(),
            lr=self.settings.learning_rate,
            weight_decay=self.settings.weight_decay,
            fused=True,
        )

    def begin_from(self, pretrained: Classifier) -> None:
        """Take all but the linear layer of a pretrained network."""
        self.classifier.embedding.load_state_dict(pretrained.embedding.state_dict())
        self.classifier.recurrent.load_state_dict(pretrained.recurrent.state_dict())

    def fit(self) -> None:
        if self.run.checkpoint.exists():
            self.load()
        else:
            self.averaged.load_state_dict(self.classifier.state_dict())
        while self.state.epoch < self.settings.epochs:
            if self.state.epochs_without_gain >= self.settings.patience_epochs:
                self.console.print(f"no gain for {self.settings.patience_epochs} epochs: stopped")
                break
            self.train_epoch()
        self.merge_falls()
        self.console.print(f"kept, macro average over dev files: {self.state.best_accuracy:.2%}")

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
        """One-hot for labelled texts, the teacher's probabilities for the others of ``plan``."""
        teacher, first = self.configuration.teacher, self.data.labelled
        labels = torch.from_numpy(self.data.corpus.labels[:first])
        smoothing = self.settings.label_smoothing
        self.targets.fill_(smoothing / self.targets.shape[1])
        self.targets[torch.arange(first), labels] += 1 - smoothing
        if teacher is None or self.data.soft_labels is None:
            return
        self.targets[first:] = self.data.soft_labels
        self.weights[first:] = teacher.unlabelled_weight
        drawn = np.unique(plan.texts[plan.texts >= first])
        share = in_epoch(teacher.network_share, epoch)
        if share and len(drawn):
            self.targets[drawn] = torch.lerp(
                self.targets[drawn], self.network_labels(epoch, drawn), share
            )

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

    def predict(self, title: str, corpus: Corpus) -> Tensor:
        """Logits (texts, labels) of the averaged network, the texts shared out over the team."""
        mine = np.arange(self.team.rank, len(corpus), self.team.size)
        part = corpus.take(mine)
        logits = torch.zeros(len(corpus), self.targets.shape[1])
        with TokenProgress(self.console, title, len(part.token_ids)) as progress:
            logits[mine] = predict_logits(self.averaged, part, progress.advance)
        return self.team.sum(logits)

    def train_epoch(self) -> None:
        epoch = self.state.epoch + 1
        if not self.state.step:
            self.restart_if_due()
        plan = self.plan(epoch)
        self.set_targets(epoch, plan)
        steps, tokens = len(plan.batches), int(plan.lengths.sum())
        done = sum(int(plan.lengths[windows].sum()) for windows in plan.batches[: self.state.step])
        self.form.train()
        with TokenProgress(self.console, f"epoch {epoch}", tokens, done) as progress:
            while self.state.step < steps:
                began = time.perf_counter()
                loss = self.step(plan, self.state.epoch + self.state.step / steps)
                batch_tokens = int(plan.lengths[plan.batches[self.state.step]].sum())
                self.state.step += 1
                self.state.steps_done += 1
                self.state.tokens += batch_tokens
                self.state.loss_sum += loss
                self.state.seconds += time.perf_counter() - began
                mean = self.state.loss_sum / self.state.step
                progress.advance(batch_tokens, f"loss {mean:.4f}")
                if time.monotonic() - self.saved_at > self.save_seconds:
                    self.save()
        self.end_epoch(epoch, self.state.loss_sum / steps)

    def restart_if_due(self) -> None:
        if any(restart.after == self.state.epoch for restart in self.settings.restarts):
            self.classifier.load_state_dict(self.averaged.state_dict())
            self.optimiser = self.new_optimiser()
            self.state.restarted_at = self.state.steps_done

    def step(self, plan: EpochPlan, epochs_done: float) -> float:
        """One update from one batch; returns its loss."""
        steps = self.state.steps_done - self.state.restarted_at
        for group in self.optimiser.param_groups:
            group["lr"] = scheduled_rate(self.settings, steps, epochs_done)
        self.optimiser.zero_grad()
        seed = self.state.steps_done * self.team.size + self.team.rank
        torch.manual_seed(self.configuration.seed * STEP_SEEDS + seed)
        windows = plan.batches[self.state.step]
        mine = windows[self.team.rank :: self.team.size]
        loss = torch.zeros(())
        if len(mine):
            # Losses are divided by the whole batch's number of texts, so that sums are its mean.
            loss = self.learn(plan.batch(self.data.corpus, mine), 1 / len(windows))
        self.team.sum_gradients(self.classifier.parameters())
        nn.utils.clip_grad_norm_(self.classifier.parameters(), self.settings.gradient_norm)
        self.optimiser.step()
        self.average()
        return float(self.team.sum(loss))

    def learn(self, batch: Batch, scale: float) -> Tensor:
        """Add the gradients of a batch's summed loss times ``scale``; returns that product."""
        features = self.form.embed(batch.token_ids.to(self.device))  # (time, batch, embedding)
        clean, gradient = self.backward(features, batch, scale)
        adversarial = self.configuration.adversarial
        norm = in_epoch(adversarial.norm, self.state.epoch + 1) if adversarial else 0
        if adversarial and norm:
            # From the same features, so that both losses share the dropout of the embedding.
            moved = features + perturbation(
                features.detach(), gradient, batch.lengths.to(self.device), norm
            )
            _, second = self.backward(moved, batch, scale * adversarial.weight)
            gradient = gradient + second
        features.backward(gradient)  # type: ignore[no-untyped-call]
        return clean

    def backward(self, features: Tensor, batch: Batch, scale: float) -> tuple[Tensor, Tensor]:
        """Gradients for all but the embedding; returns the loss and its gradient at features."""
        features = features.detach().requires_grad_()
        loss = self.loss(features, batch) * scale
        loss.backward()  # type: ignore[no-untyped-call]
        assert features.grad is not None
        return loss.detach(), features.grad

    def loss(self, features: Tensor, batch: Batch) -> Tensor:
        """The summed loss of a batch embedded as ``features`` (time, batch, embedding)."""
        lengths = batch.lengths.to(self.device)
        targets = self.targets[batch.texts].to(self.device)  # (batch, labels)
        weights = self.weights[batch.texts].to(self.device)  # (batch,)
        outputs = self.form.outputs(features, lengths)  # (time, batch, 2 * hidden)
        logits = self.form.linear(self.form.final_states(outputs, lengths))
        loss = weighted_loss(logits, targets, weights)
        if self.settings.pooled_loss:
            # States everywhere learn to carry the opinion, so gradients need not cross the text.
            pooled = self.form.linear(mean_over_time(outputs, lengths))
            loss = loss + self.settings.pooled_loss * weighted_loss(pooled, targets, weights)
        return loss

    def average(self) -> None:
        """Exponential moving average of the weights, young at first so that it is never stale."""
        decay = min(
            self.settings.average_decay, (1 + self.state.steps_done) / (10 + self.state.steps_done)
        )
        with torch.no_grad():
            for mean, now in zip(
                self.averaged.parameters(), self.classifier.parameters(), strict=True
            ):
                mean.lerp_(now, 1 - decay)

    def validate(self) -> tuple[dict[str, float], float]:
        """Accuracy of the averaged weights on each dev file, and their macro average."""
        accuracies = {
            name: accuracy(self.predict("validating", corpus), torch.from_numpy(corpus.labels))
            for name, corpus in self.data.dev.items()
        }
        return accuracies, sum(accuracies.values()) / max(1, len(accuracies))

    def end_epoch(self, epoch: int, loss: float) -> None:
        accuracies, macro = self.validate()
        speed = self.state.seconds / self.state.tokens * 1e6
        self.state.history.append(
            {
                "epoch": epoch,
                "loss": loss,
                "macro_accuracy": macro,
                "accuracy": accuracies,
                "tokens": self.state.tokens,
                "microseconds_per_token": speed,
            }
        )
        self.console.print(
            f"epoch {epoch}: loss {loss:.4f}, {listed(accuracies, macro)}, {speed:.1f} µs/token",
            soft_wrap=True,
        )
        self.state.epoch, self.state.step, self.state.loss_sum = epoch, 0, 0.0
        # Without dev texts the latest weights are the best known.
        improved = not accuracies or macro > self.state.best_accuracy
        if improved:
            self.state.best_accuracy = macro
        self.state.epochs_without_gain = 0 if improved else self.state.epochs_without_gain + 1
        if self.team.leads:
            if improved:
                best = {"weights": self.averaged.state_dict(), "history": self.state.history}
                save_tensors(self.run.best, best)
            if epoch in fall_ends(self.settings):
                save_tensors(self.run.weights(epoch), self.averaged.state_dict())
            history = json.dumps(self.state.history, indent=2) + "\n"
            write_whole(self.run.directory / "history.json", lambda path: path.write_text(history))
        self.save()

    def merge_falls(self) -> None:
        """Keep the mean of the weights with which the last falls ended."""
        ends = [end for end in fall_ends(self.settings) if end <= self.state.epoch]
        merged = ends[-self.settings.merged_falls :]
        if len(merged) < 2:
            return
        self.team.wait()
        falls = [load_tensors(self.run.weights(epoch)) for epoch in merged]
        mean = {name: torch.stack([fall[name] for fall in falls]).mean(0) for name in falls[0]}
        self.averaged.load_state_dict(mean)
        accuracies, macro = self.validate()
        epochs = " and ".join(map(str, merged))
        self.console.print(f"epochs {epochs} merged: {listed(accuracies, macro)}", soft_wrap=True)
        self.state.best_accuracy = macro
        if self.team.leads:
            save_tensors(self.run.best, {"weights": mean, "history": self.state.history})

    def save(self) -> None:
        if not self.team.leads:
            return
        save_tensors(
            self.run.checkpoint,
            {
                "state": vars(self.state),
                "classifier": self.classifier.state_dict(),
                "averaged": self.averaged.state_dict(),
                "optimiser": self.optimiser.state_dict(),
            },
        )
        self.saved_at = time.monotonic()

    def load(self) -> None:
        checkpoint = load_tensors(self.run.checkpoint)
        self.state = State(**checkpoint["state"])
        self.classifier.load_state_dict(checkpoint["classifier"])
        self.averaged.load_state_dict(checkpoint["averaged"])
        self.optimiser.load_state_dict(checkpoint["optimiser"])
        self.console.print(f"going on in epoch {self.state.epoch + 1}, step {self.state.step + 1}")


def listed(accuracies: dict[str, float], macro: float) -> str:
    each = ", ".join(f"{name} {share:.2%}" for name, share in accuracies.items())
    return f"macro {macro:.2%} ({each})"


def fall_ends(settings: TrainingConfiguration) -> list[int]:
    """The epochs with which the learning rate has fallen to its lowest."""
    restarts = {restart.after for restart in settings.restarts if restart.after < settings.epochs}
    return sorted(restarts | {settings.epochs})


def scheduled_rate(
    settings: TrainingConfiguration, steps_since_start: int, epochs_done: float
) -> float:
    """That of the fall since the start or the last restart, which is ``steps_since_start`` ago."""
    peak, first, last = settings.learning_rate, 0, settings.epochs
    for restart in sorted(settings.restarts, key=lambda restart: restart.after):
        if epochs_done < restart.after:
            last = min(restart.after, settings.epochs)
            break
        peak, first = restart.learning_rate, restart.after
    share_done = (epochs_done - first) / (last - first)
    return learning_rate(peak, settings.warmup_steps, steps_since_start, share_done)


def weighted_loss(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    return (cross_entropy(logits, targets, reduction="none") * weights).sum()


def mean_over_time(outputs: Tensor, lengths: Tensor) -> Tensor:
    """Mean states (batch, 2 * hidden) of outputs (time, batch, 2 * hidden) without the padding."""
    return (outputs * inside_texts(outputs, lengths)).sum(0) / lengths.unsqueeze(1)


def perturbation(features: Tensor, gradient: Tensor, lengths: Tensor, norm: float) -> Tensor:
    """Along each text's gradient (time, batch, embedding), ``norm`` times its features' norm long.

    The adversarial direction of Miyato, Dai & Goodfellow (ICLR 2017), in units of the text.
    """
    size = (features * inside_texts(features, lengths)).square().sum((0, 2)).sqrt()  # (batch,)
    steepness = gradient.square().sum((0, 2)).sqrt().clamp(min=1e-12)  # (batch,)
    return gradient * (norm * size / steepness).unsqueeze(1)


def inside_texts(features: Tensor, lengths: Tensor) -> Tensor:
    """Which of the steps of features (time, batch, size) are no padding: bool (time, batch, 1)."""
    steps = torch.arange(features.shape[0], device=lengths.device).unsqueeze(1)
    return (steps < lengths).unsqueeze(2)
