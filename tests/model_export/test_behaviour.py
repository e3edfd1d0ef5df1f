from pathlib import Path

import numpy as np
import pytest

from model_export.behaviour import read_suite, run_suite
from model_export.errors import ModelExportError
from service.engine.logits import Probabilities, softmax

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


def spot_words(texts: list[str]) -> Probabilities:
    """Answers by a single word: 'dire' is bad, 'superb' good, anything else even."""
    found = [[2.0 * ("dire" in t.lower()), 2.0 * ("superb" in t.lower())] for t in texts]
    return softmax(np.array(found, np.float32))


def test_each_kind_counts_what_it_says(tmp_path: Path) -> None:
    path = tmp_path / "suite.toml"
    path.write_text(SUITE)
    rates = run_suite(read_suite(path), ["negative", "positive"], spot_words)
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
