"""The served network: embedding, packed bidirectional recurrent layers, linear."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, embedding
from torch.nn.utils.rnn import pack_padded_sequence

from model_export.configuration import DropoutConfiguration, ModelConfiguration, Precision

CELLS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}


class Classifier(nn.Module):
    """Embedding → pack → bidirectional layers → last layer's two final states → linear → logits.

    Dropout belongs to ``TrainingForm``, the one form that trains.
    """

    def __init__(
        self, configuration: ModelConfiguration, vocabulary_size: int, labels: int
    ) -> None:
        super().__init__()
        self.configuration = configuration
        size = configuration.hidden_size
        self.embedding = nn.Embedding(vocabulary_size, configuration.embedding_size)
        self.recurrent: nn.RNNBase = CELLS[configuration.cell](
            configuration.embedding_size,
            size,
            configuration.layers,
            batch_first=True,
            bidirectional=True,
        )
        self.linear = nn.Linear(2 * size, labels)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.normal_(self.embedding.weight, std=0.1)
        for name, parameter in self.recurrent.named_parameters():
            if name.startswith("weight_ih"):
                nn.init.xavier_uniform_(parameter)
            elif name.startswith("weight_hh"):
                for block in parameter.data.chunk(parameter.shape[0] // parameter.shape[1]):
                    nn.init.orthogonal_(block)
            else:
                nn.init.zeros_(parameter)
                if self.configuration.cell == "lstm" and name.startswith("bias_ih"):
                    # Gates lie in the order input, forget, cell, output. Of the two bias vectors
                    # that PyTorch adds up only this one holds the 1 (Jozefowicz et al. 2015).
                    size = self.configuration.hidden_size
                    parameter.data[size : 2 * size] = 1.0

    def forward(self, token_ids: Tensor, lengths: Tensor) -> Tensor:
        """Logits (batch, labels) of ids (batch, time) padded at their ends, int64 both.

        ``lengths`` (batch) are at least 1 and in any order; what stands beyond them is not read.
        """
        # Half precision is how the table may be stored; the sum stays in single precision.
        embedded = self.embedding(token_ids).float()  # (batch, time, embedding)
        packed = pack_padded_sequence(embedded, lengths, batch_first=True, enforce_sorted=False)
        _, final = self.recurrent(packed)
        hidden = final[0] if isinstance(final, tuple) else final  # (layers * 2, batch, hidden)
        states = torch.cat([hidden[-2], hidden[-1]], dim=1)  # (batch, 2 * hidden)
        logits: Tensor = self.linear(states)  # (batch, labels)
        return logits


def multiplies_in_bf16(device: str) -> bool:
    """Whether the device has such products; on a CPU without AVX-512 oneDNN refuses the LSTM."""
    return device != "cpu" or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


class TrainingForm(nn.Module):
    """The same function with the same parameters, in the form that trains fast on a CPU.

    A packed bidirectional layer equals two causal layers, the second over each text reversed
    within its own length. Padding then only trails, so that padded kernels are exact, and their
    backward pass does not grow with the square of the length as that of the packed form does.
    With ``precision`` bf16 the recurrent layers multiply in half the bits at twice the speed,
    where the device can; elsewhere they stay in fp32, the same function.
    """

    def __init__(
        self,
        classifier: Classifier,
        dropouts: DropoutConfiguration,
        precision: Precision = "fp32",
    ) -> None:
        super().__init__()
        self.classifier = classifier
        self.dropouts = dropouts
        self.precision = precision
        configuration = classifier.configuration
        # Only shapes: its own parameters are never used.
        self.cells = {
            width: CELLS[configuration.cell](width, configuration.hidden_size, device="meta")
            for width in (configuration.embedding_size, 2 * configuration.hidden_size)
        }

    def forward(self, token_ids: Tensor, lengths: Tensor) -> Tensor:
        """Logits (batch, labels); in training mode with dropout."""
        return self.linear(self.final_states(self.outputs(self.embed(token_ids), lengths), lengths))

    def embed(self, token_ids: Tensor) -> Tensor:
        """Ids (batch, time) to features (time, batch, embedding), the place to perturb them."""
        embedded = embedding(token_ids.t(), self.classifier.embedding.weight)
        if self.training:
            kept = torch.rand(embedded.shape[:2], device=embedded.device) >= self.dropouts.words
            embedded = embedded * kept.to(embedded).unsqueeze(2)
        return dropout(embedded, self.dropouts.embedding, self.training)  # (time, batch, embedding)

    def outputs(self, features: Tensor, lengths: Tensor) -> Tensor:
        """States of the last layer (time, batch, 2 * hidden), forward then backward."""
        reversal = reversed_positions(lengths, features.shape[0])  # (time, batch)
        with self.autocast():
            for layer in range(self.classifier.configuration.layers):
                if layer:
                    features = dropout(features, self.dropouts.layers, self.training)
                forward = self.run_half(features, f"l{layer}")
                backward = self.run_half(reverse(features, reversal), f"l{layer}_reverse")
                features = torch.cat([forward, reverse(backward, reversal)], dim=2)
        return features.float()

    def autocast(self) -> torch.autocast:
        """Where products are taken in the form's precision."""
        device = self.classifier.linear.weight.device.type
        half = self.precision == "bf16" and multiplies_in_bf16(device)
        return torch.autocast(device, torch.bfloat16, enabled=half)

    def run_half(self, features: Tensor, suffix: str) -> Tensor:
        source = dict(self.classifier.recurrent.named_parameters())
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        parameters: dict[str, Tensor] = {f"{name}_l0": source[f"{name}_{suffix}"] for name in names}
        cell = self.cells[features.shape[2]]
        outputs: Tensor = torch.func.functional_call(cell, parameters, (features,))[0]
        return outputs  # (time, batch, hidden)

    def final_states(self, outputs: Tensor, lengths: Tensor) -> Tensor:
        size = self.classifier.configuration.hidden_size
        last = outputs[
            lengths - 1, torch.arange(len(lengths), device=lengths.device), :size
        ]  # (batch, hidden)
        return torch.cat([last, outputs[0, :, size:]], dim=1)  # (batch, 2 * hidden)

    def linear(self, states: Tensor) -> Tensor:
        logits: Tensor = self.classifier.linear(
            dropout(states, self.dropouts.states, self.training)
        )
        return logits  # (batch, labels)


def reversed_positions(lengths: Tensor, time: int) -> Tensor:
    """Where each step of a text reversed within its own length comes from; padding stays."""
    steps = torch.arange(time, device=lengths.device).unsqueeze(1)  # (time, 1)
    return torch.where(steps < lengths, lengths - 1 - steps, steps)  # (time, batch)


class Reversal(torch.autograd.Function):
    """Rows in another order that is its own inverse; a third of the cost of ``gather``."""

    @staticmethod
    def forward(context: Any, features: Tensor, rows: Tensor) -> Tensor:
        context.save_for_backward(rows)
        return features.flatten(0, 1).index_select(0, rows).view_as(features)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (rows,) = context.saved_tensors
        return gradients[0].flatten(0, 1).index_select(0, rows).view_as(gradients[0]), None


def reverse(features: Tensor, positions: Tensor) -> Tensor:
    """Features (time, batch, size) with each text's steps at ``positions`` (time, batch)."""
    batch = torch.arange(positions.shape[1], device=positions.device)
    rows = (positions * positions.shape[1] + batch).flatten()  # (time * batch,)
    reversed_features: Tensor = Reversal.apply(features, rows)  # type: ignore[no-untyped-call]
    return reversed_features


def pad(token_ids: Sequence[Sequence[int] | npt.NDArray[np.integer[Any]]]) -> tuple[Tensor, Tensor]:
    """Ids of a batch (batch, time), 0 behind the ends, and their lengths (batch)."""
    lengths = torch.tensor([len(ids) for ids in token_ids])
    padded = torch.zeros(len(token_ids), int(lengths.max()), dtype=torch.int64)
    for row, ids in zip(padded, token_ids, strict=True):
        row[: len(ids)] = torch.from_numpy(np.asarray(ids, np.int64))
    return padded, lengths
