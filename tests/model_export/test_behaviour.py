from pathlib import Path

import numpy as np
import pytest

from model_export.behaviour import read_suite, run_suite
from model_export.errors import ModelExportError
from model_export.run import Run
from service.engine.packed_batch import PackedBatch, Scores
from service.engine.tokenizer import TextTokenizer
from tests.model_export.opinions import publish

SUITE = """
[[capability]]
name = "words"
kind = "minimum"
[capability.cases]
positive = ["superb", "dire"]
[[capability]]
name = "padding words"
kind = "minimum"
filler = "the "
filler_repeats = 2
[capability.cases]
negative = ["dire"]
[[capability]]
name = "case"
kind = "invariance"
cases = [["superb", "SUPERB"], ["superb", "dire"]]
[[capability]]
name = "more"
kind = "directional"
[capability.cases]
negative = [["superb", "dire"], ["dire", "superb"]]
[[capability]]
name = "doubt"
kind = "unsure"
at_most = 0.8
cases = ["film", "dire"]
"""


class WordSpotter:
    """Answers by a single token: 'dire' is bad, 'superb' good, anything else even."""

    name = "onnx"
    computes_padding = False

    def __init__(self, good: int, bad: int) -> None:
        self.good, self.bad = good, bad

    def logits(self, batch: PackedBatch) -> Scores:
        found = [
            [2.0 * (self.bad in row), 2.0 * (self.good in row)] for row in batch.token_ids.tolist()
        ]
        return np.array(found, np.float32)


def test_each_kind_counts_what_it_says(trained: Run, tmp_path: Path) -> None:
    tokenizer = TextTokenizer(publish(trained, tmp_path))
    good, bad = (int(ids[-1]) for ids in tokenizer.encode(["superb", "dire"]))
    path = tmp_path / "suite.toml"
    path.write_text(SUITE)
    backend = WordSpotter(good, bad)
    rates = run_suite(read_suite(path), ["negative", "positive"], tokenizer, backend)
    found = {rate.capability: (rate.cases, rate.passed, rate.failures) for rate in rates}
    assert found == {
        "words": (2, 1, ["dire"]),
        "padding words": (1, 1, []),
        "case": (2, 1, ["superb | dire"]),
        "more": (2, 1, ["dire | superb"]),
        "doubt": (2, 1, ["dire"]),
    }


@pytest.mark.parametrize("text", ["capability = 3", "capability = [", '[[capability]]\nkind = "x"'])
def test_a_bad_suite_is_refused_with_its_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "suite.toml"
    path.write_text(text)
    with pytest.raises(ModelExportError, match=r"suite\.toml: "):
        read_suite(path)
