"""The part of Onigmo's regular expressions that tokenizers need, as an automaton.

https://github.com/k-takata/Onigmo/blob/master/doc/RE is the whole language. What is not read here
is refused: a construct that is not understood can't be judged.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

STATES_LIMIT = 1000
REPEATS_LIMIT = 100
# Ways through an expression, a loop counted once: ``(a?){30}a{30}`` has a thousand million.
WAYS_LIMIT = 10_000

_CHARACTER = re.compile(
    r"\\[pP]\{\^?\w+\}|\\x[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\[sSdDwWntrfv]|\\[^\w\s]"
    r"|\[\^?\]?(?:\\.|&(?!&)|[^\]\[\\&])*\]|[^\\\[\](){}*+?|^$]",
    re.DOTALL,
)
_QUANTIFIER = re.compile(r"(?:([*+?])|\{(\d*)(,?)(\d*)\})([?+]?)")
_ANCHORS = {r"\A": "start", r"\z": "end", r"\Z": "end", "$": "end", "^": "line", r"\b": "word"}
_GROUPS = ("(?:", "(?>", "(?i:", "(?=", "(?!", "(?<=", "(?<!")


class RegexError(Exception):
    """Why an expression is refused, said of "it"."""


@dataclass(slots=True)
class Edge:
    """To another state without reading a character.

    ``asserts``: it may be barred by what stands around. ``after`` holds the characters that may
    stand before it, if only some may.
    """

    target: int
    asserts: bool = False
    after: frozenset[str] | None = None


@dataclass(slots=True)
class Automaton:
    """Thompson's: each state reads one of a set of characters or has edges that read none."""

    reads: dict[int, tuple[frozenset[str], int]] = field(default_factory=dict)  # set, next state
    edges: dict[int, list[Edge]] = field(default_factory=dict)
    start: int = 0
    accept: int = 0
    states: int = 0
    shortest: int = 0  # characters of the shortest match

    def new(self) -> int:
        self.states += 1
        if self.states > STATES_LIMIT:
            raise RegexError("it is too large to be judged")
        return self.states - 1

    def link(self, source: int, edge: Edge) -> None:
        self.edges.setdefault(source, []).append(edge)


@dataclass(slots=True)
class _Part:
    """A piece between two states of the automaton."""

    start: int
    stop: int
    shortest: int
    ways: int = 1
    unbounded: bool = False
    characters: frozenset[str] | None = None  # of a piece that is one character of a set


class _Parser:
    def __init__(self, pattern: str, members: Callable[[str], frozenset[str]]) -> None:
        self._pattern = pattern
        self._members = members
        self._at = 0
        self._ignore_case = False
        self._groups: dict[int, frozenset[str] | None] = {}
        self.automaton = Automaton()

    def whole(self) -> Automaton:
        part = self._alternatives()
        if self._at < len(self._pattern):
            raise RegexError(f"{self._pattern[self._at :][:20]!r} is not understood")
        made = self.automaton
        made.start, made.accept, made.shortest = part.start, part.stop, part.shortest
        return made

    def _take(self, *texts: str) -> str:
        found = next((t for t in texts if self._pattern.startswith(t, self._at)), "")
        self._at += len(found)
        return found

    def _alternatives(self) -> _Part:
        parts = [self._sequence()]
        while self._take("|"):
            parts.append(self._sequence())
        if len(parts) == 1:
            return parts[0]
        start, stop = self.automaton.new(), self.automaton.new()
        for part in parts:
            self.automaton.link(start, Edge(part.start))
            self.automaton.link(part.stop, Edge(stop))
        return _Part(
            start,
            stop,
            shortest=min(part.shortest for part in parts),
            ways=_bounded(sum(part.ways for part in parts)),
            unbounded=any(part.unbounded for part in parts),
        )

    def _sequence(self) -> _Part:
        start = self.automaton.new()
        whole = _Part(start, start, 0)
        parts = 0
        while self._at < len(self._pattern) and self._pattern[self._at] not in "|)":
            part = self._repeated()
            self.automaton.link(whole.stop, Edge(part.start))
            parts += 1
            whole = _Part(
                start,
                part.stop,
                whole.shortest + part.shortest,
                _bounded(whole.ways * part.ways),
                whole.unbounded or part.unbounded,
                characters=part.characters if parts == 1 else None,
            )
        return whole

    def _repeated(self) -> _Part:
        began = self._at
        groups = dict(self._groups)
        part = self._atom()
        end = self._at
        match = _QUANTIFIER.match(self._pattern, self._at)
        if not match:
            return part
        self._at = match.end()
        sign, low, comma, high, suffix = match.groups()
        if sign:
            least, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}[sign]
        elif suffix == "+" or not (low or high):
            raise RegexError(f"{match[0]!r} is not understood")
        else:
            least = int(low or 0)
            most = (int(high) if high else None) if comma else least
        if most is not None and most < least:
            raise RegexError(f"{match[0]!r} is not understood")
        if max(least, most or 0) > REPEATS_LIMIT:
            raise RegexError(f"it repeats more than {REPEATS_LIMIT} times")
        if most is None and part.shortest == 0:
            raise RegexError("it repeats without end what may match nothing")

        def again() -> _Part:
            """A copy of what is repeated: it is read anew."""
            behind, self._at, self._groups = self._at, began, dict(groups)
            copy = self._atom()
            assert self._at == end
            self._at = behind
            return copy

        return self._copies(part, again, least, most)

    def _copies(
        self, first: _Part, again: Callable[[], _Part], least: int, most: int | None
    ) -> _Part:
        made, start, stop = self.automaton, self.automaton.new(), self.automaton.new()
        at = start
        copies = max(least, 1) if most is None else most
        for number in range(copies):
            part = first if number == 0 else again()
            if number >= least:
                made.link(at, Edge(stop))
            made.link(at, Edge(part.start))
            if most is None and number == copies - 1:
                made.link(part.stop, Edge(part.start))
            at = part.stop
        made.link(at, Edge(stop))
        ways = sum(first.ways**number for number in range(least, copies + 1))
        unbounded = first.unbounded or most is None
        return _Part(start, stop, first.shortest * least, _bounded(ways), unbounded)

    def _atom(self) -> _Part:
        opening = self._take(*_GROUPS) or self._take("(")
        if opening:
            return self._group(opening)
        anchor = self._take(*_ANCHORS)
        if anchor:
            nothing: frozenset[str] = frozenset()
            return self._assertion(nothing if _ANCHORS[anchor] == "start" else None)
        reference = re.compile(r"\\([1-9])").match(self._pattern, self._at)
        if reference:
            characters = self._groups.get(int(reference[1]))
            if characters is None:
                raise RegexError(f"{reference[0]!r} refers to more than one character")
            self._at = reference.end()
            return self._one(characters)
        match = _CHARACTER.match(self._pattern, self._at)
        if not match:
            raise RegexError(f"{self._pattern[self._at :][:20]!r} is not understood")
        self._at = match.end()
        text = f"(?i:{match[0]})" if self._ignore_case else match[0]
        return self._one(self._members(text))

    def _group(self, opening: str) -> _Part:
        if opening == "(" and self._take("?"):
            raise RegexError("a group begins with '(?' in a way that is not understood")
        number = len(self._groups) + 1
        if opening == "(":
            self._groups[number] = None
        ignored, self._ignore_case = self._ignore_case, self._ignore_case or opening == "(?i:"
        part = self._alternatives()
        self._ignore_case = ignored
        if not self._take(")"):
            raise RegexError("a group is not closed")
        if opening == "(":
            self._groups[number] = part.characters
        if opening not in ("(?=", "(?!", "(?<=", "(?<!"):
            return part
        if part.unbounded:
            raise RegexError("it looks around without bound")
        after = None
        if part.characters is not None and opening == "(?<=":
            after = part.characters
        elif part.characters is not None and opening == "(?<!":
            after = self._members(r"[\s\S]") - part.characters
        return self._assertion(after, part.ways)

    def _one(self, characters: frozenset[str]) -> _Part:
        start, stop = self.automaton.new(), self.automaton.new()
        self.automaton.reads[start] = (characters, stop)
        return _Part(start, stop, 1, characters=characters)

    def _assertion(self, after: frozenset[str] | None, ways: int = 1) -> _Part:
        start, stop = self.automaton.new(), self.automaton.new()
        self.automaton.link(start, Edge(stop, asserts=True, after=after))
        return _Part(start, stop, 0, ways)


def _bounded(ways: int) -> int:
    if ways > WAYS_LIMIT:
        raise RegexError(f"it can be gone through in more than {WAYS_LIMIT} ways")
    return ways


def parse_regex(pattern: str, members: Callable[[str], frozenset[str]]) -> Automaton:
    """``members`` says which sample characters an expression of one character matches.

    Raises:
        RegexError: the expression has a part that is not understood, or is too large.
    """
    try:
        return _Parser(pattern, members).whole()
    except RecursionError:
        raise RegexError("it is nested too deeply") from None
