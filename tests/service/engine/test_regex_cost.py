"""Expressions that a backtracking matcher can be held up with are told from those it can't."""

import pytest
from tokenizers import Regex, normalizers

from service.engine.regex_cost import judge_regex
from service.engine.regex_syntax import RegexError, parse_regex
from tests.service.engine.linear_time import GROWTH_LIMIT, cpu_seconds, growth

ALPHABET = frozenset(chr(code) for code in range(256)) | frozenset("漢🙂’“”\u2028\u0301")


def members(expression: str) -> frozenset[str]:
    rest = normalizers.Replace(Regex(expression), "").normalize_str("".join(sorted(ALPHABET)))
    return ALPHABET - frozenset(rest)


def judge(expression: str) -> None:
    judge_regex(parse_regex(expression, members), ALPHABET)


# Each with a unit and an end of a text that holds a matcher up. The end holds what the expression
# can't do without: Onigmo looks for that first.
COSTLY = [
    (r"\s+(?=n't)", " ", "nx n't"),
    (r"\s+x", " ", "yx"),
    (r"\s*?x", " ", "yx"),
    (r"(?>\s+)x", " ", "yx"),
    (r"(?<![a])\s+x", " ", "yx"),
    (r"^\s*x", "\n", "yx"),
    (r"[a-z]+@[a-z]+", "a", "1@a"),
    (r"<[^>]*>", "<", ""),
    (r"x.*y", "x", "\ny"),
    (r"(?:ab*c)*d", "abc", "ed"),
    (r"(?:'a+)*b", "'a", "cb"),
    (r"(?:\s+x|\s)", " ", "yx"),
    (r"(?:a*c)?", "a", "bc"),
    (r"\u0020+\u0078", " ", "yx"),
    (r"(?i:A)+1", "aA", "21"),
]
LINEAR = [
    r"<br\s*/?>",
    r"(?:https?://|www\.)\S+",
    r"(?<!\s)\s+(?=(?:n't|'(?:s|m|d))(?!\p{L}))",
    r"([\p{L}!?.*\-=_])(?=\1\1)",
    r"\A\s*\z",
    r"[@#]?\p{L}[\p{L}\p{M}]*(?:'\p{L}+)*|\p{N}+|[^\s\p{L}\p{N}]",
    r'"[^"]*"',
    r"(?:ab*c|a)",
    r"(?:ab*c)*",
    r"(?<=x)a*b",
    r"\s{0,30}x",
    r"a+",
]


@pytest.mark.parametrize(("expression", "unit", "end"), COSTLY)
def test_what_can_read_a_text_again_and_again_is_refused_and_really_does(
    expression: str, unit: str, end: str
) -> None:
    with pytest.raises(RegexError):
        judge(expression)
    rule = normalizers.Replace(Regex(expression), "")
    found = growth(rule.normalize_str, lambda size: unit * (size // len(unit)) + end, 1000)
    assert found > GROWTH_LIMIT


@pytest.mark.parametrize("expression", LINEAR)
def test_what_reads_a_text_once_passes_and_really_does(expression: str) -> None:
    judge(expression)
    rule = normalizers.Replace(Regex(expression), "")
    # Growth says little here: a megabyte that is allocated anew costs more than such a rule.
    no_rule = normalizers.Replace("\0", "")
    for unit in ("a", " ", "'a", "<br ", "www.", '"', "x", "abc", "ab"):
        text = unit * (20_000 // len(unit)) + "!"
        costs = [cpu_seconds(made.normalize_str, text) for made in (rule, no_rule)]
        # Two and a half nanoseconds for each pair of characters would make it ten thousand.
        assert costs[0] < 500 * costs[1], unit


@pytest.mark.parametrize(
    "expression",
    [
        r"(a+)+x",
        r"(a|a)*x",
        r"(?:a|ab|b)*\z",
        r"\s*\s*x",
        r"(?:a?){30}a{30}",
        r"(?:a*)*",
        r"(a*)+b",
    ],
)
def test_what_can_read_a_text_in_many_ways_is_refused(expression: str) -> None:
    with pytest.raises(RegexError):
        judge(expression)


@pytest.mark.parametrize(
    "expression",
    [
        r"(?=.*x)",
        r"(?<name>a)\k<name>",
        r"(?x: a )",
        r"(a+)\1",
        r"[[:alpha:]]",
        r"[a&&b]",
        r"\G",
        r"\K",
        r"\R",
        r"a{1000}",
        r"(a{50}){50}",
        r"a**",
        r"a{2}+",
        r"(a",
        r"a)",
        r"[a",
        "(" * 5000 + "a" + ")" * 5000,
    ],
)
def test_what_is_not_understood_or_too_large_is_refused(expression: str) -> None:
    with pytest.raises(RegexError):
        judge(expression)


@pytest.mark.parametrize(
    ("expression", "characters"),
    [("abc", 3), ("a|bc", 1), ("a?b*", 0), ("a{2,}", 2), ("(?:ab){3}c+", 7), (r"(?<=a)\p{L}", 1)],
)
def test_the_shortest_match_is_known(expression: str, characters: int) -> None:
    assert parse_regex(expression, members).shortest == characters
