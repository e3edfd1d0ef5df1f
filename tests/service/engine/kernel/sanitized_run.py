"""Runs many models and batches with the library given, one compiled with sanitizers.

A program of its own, because the sanitizers' runtime must be loaded before all else:
``LD_PRELOAD=libasan.so python -m tests.service.engine.kernel.sanitized_run LIBRARY RUNS``.
"""

import contextlib
import sys
from pathlib import Path

import numpy as np

from service.engine.kernel import KernelError
from service.engine.kernel.library import Library
from tests.service.engine.kernel.random_model import Model, logits, random_texts


def main() -> None:
    library, runs = Library(Path(sys.argv[1])), int(sys.argv[2])
    numbers = np.random.default_rng(0)
    for run in range(runs):
        model = Model(
            cell=str(numbers.choice(["rnn", "gru", "lstm"])),
            layers=int(numbers.integers(1, 5)),
            directions=int(numbers.integers(1, 3)),
            hidden=16 * int(numbers.choice([1, 2, 3, 9])),  # the last splits sums
            labels=int(numbers.integers(1, 20)),
            embedding=int(numbers.integers(1, 20)),
        )
        for name in library.instruction_sets():
            kernel = model.kernel(
                16 if run % 2 else 8,
                name,
                table_budget_bytes=int(numbers.choice([0, 1 << 30])),
                library=library,
            )
            for texts in (1, int(numbers.integers(2, 35))):
                logits(kernel, random_texts(run, texts, longest=int(numbers.integers(1, 6))))
            with contextlib.suppress(KernelError):
                offsets = [0, *numbers.integers(-9, 9, 3).tolist(), 4]
                kernel.logits(numbers.integers(-9, 99, 4).astype(np.int32), np.array(offsets))
    print(f"{runs} models of {', '.join(library.instruction_sets())}")


if __name__ == "__main__":
    main()
