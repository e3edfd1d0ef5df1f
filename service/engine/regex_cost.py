r"""Does a regular expression look at each character of a text a bounded number of times?

A backtracking matcher starts at every position of a text. It takes more than linear time when a
stretch of text can be read again and again: by one loop from every position that it is entered at
(``\s+x``: each space of a run is the start of an attempt that reads the rest of the run), by two
loops one after the other (``\s*\s*x``), or by one loop in two ways (``(a|a)*x``). It matters only
if the attempt fails afterwards: a loop that may end the match at once is never read twice.

So three questions are asked of the automaton, with a state ``search`` in front that reads anything
and stays (Weideman et al., "Analyzing Matching Time Behavior of Backtracking Regular Expression
Matchers by Using Ambiguity of NFA", CIAA 2016). Let a loop be *failing* if it passes through no
state from which the match can end without another character or assertion.

1. Does some stretch lead from ``search`` to ``search``, from there into a failing loop, and around
   that loop?
2. Does one lead around a loop, from it into a failing loop, and around that?
3. Does one lead around a failing loop in two ways?

Assertions count as failing and as passable, except that what a single-character look-behind demands
is obeyed: ``(?<!\s)\s+x`` enters a run of spaces at its start only. Characters stand for the whole
of Unicode by samples; the probes that run the tokenizer are the second net.
"""

from collections.abc import Iterable

from service.engine.regex_syntax import Automaton, RegexError

SEARCH = -1
# A thousand times what an honest expression takes.
STEPS_LIMIT = 3_000_000

Step = tuple[int, frozenset[str] | None]  # the next reading state, and what may stand before it


class _Judge:
    def __init__(self, automaton: Automaton, alphabet: frozenset[str]) -> None:
        self._automaton = automaton
        self._steps_left = STEPS_LIMIT
        self._after: dict[int, list[Step]] = {SEARCH: self._entries(automaton.start)}
        self._characters: dict[int, frozenset[str]] = {SEARCH: alphabet}
        ending = {SEARCH: False}
        for state, (characters, following) in automaton.reads.items():
            self._characters[state] = characters
            self._after[state] = self._entries(following)
            ending[state] = self._may_end(following)
        # A reading state stands for having read its character.
        self._may_fail = {state for state in automaton.reads if not ending[state]}

    def _entries(self, start: int) -> list[Step]:
        """Every way to a reading state that reads nothing: one that comes twice is ambiguous."""
        found: list[Step] = []
        stack: list[tuple[int, frozenset[str] | None]] = [(start, None)]
        while stack:
            self._count()
            state, before = stack.pop()
            if state in self._automaton.reads:
                found.append((state, before))
            for edge in self._automaton.edges.get(state, ()):
                stack.append((edge.target, _both(before, edge.after)))
        return found

    def _may_end(self, start: int) -> bool:
        stack, seen = [start], {start}
        while stack:
            state = stack.pop()
            if state == self._automaton.accept:
                return True
            for edge in self._automaton.edges.get(state, ()):
                if not edge.asserts and edge.target not in seen:
                    seen.add(edge.target)
                    stack.append(edge.target)
        return False

    def _count(self) -> None:
        self._steps_left -= 1
        if self._steps_left < 0:
            raise RegexError("it is too involved to be judged")

    def judge(self) -> None:
        looping = set().union(*self._loops(set(self._automaton.reads)))
        for loop in self._loops(self._may_fail):
            for state in loop:
                self._refuse_two_ways(state, loop)
                for other in [SEARCH, *looping - {state}]:
                    self._refuse_again(other, state, loop)

    def _loops(self, states: set[int]) -> list[set[int]]:
        """The strongly connected parts of more than no step, by closure: automata are small."""
        reached = {state: self._reachable(state, states) for state in states}
        loops = []
        left = {state for state in states if state in reached[state]}
        while left:
            state = left.pop()
            loop = {state} | {other for other in reached[state] if state in reached[other]}
            left -= loop
            loops.append(loop)
        return loops

    def _reachable(self, start: int, states: set[int]) -> set[int]:
        seen: set[int] = set()
        stack = [start]
        while stack:
            self._count()
            for target, _ in self._after[stack.pop()]:
                if target in states and target not in seen:
                    seen.add(target)
                    stack.append(target)
        return seen

    def _next(
        self, state: int, characters: frozenset[str], previous: frozenset[str]
    ) -> Iterable[tuple[int, frozenset[str]]]:
        """States after ``state`` on one of ``characters``, and on which of them."""
        if state == SEARCH and characters:
            yield SEARCH, characters
        for target, before in self._after[state]:
            self._count()
            shared = characters & self._characters[target]
            if shared and (before is None or before & previous):
                yield target, shared

    def _refuse_again(self, other: int, state: int, loop: set[int]) -> None:
        """Questions 1 and 2: ``other`` stays, ``other`` becomes ``state``, ``state`` comes back."""
        anything = self._characters[SEARCH]
        goal = (other, state, state)
        stack = []
        # In twice the stretch ``search`` may stay for the first half: a character stands before.
        for third, characters in self._next(state, anything, anything):
            if third in loop:
                for first, shared in self._next(other, characters, anything):
                    for second, both in self._next(other, shared, anything):
                        if other != SEARCH or second == SEARCH:
                            stack.append(((first, second, third), both))
        seen: dict[tuple[int, int, int], frozenset[str]] = {}
        while stack:
            self._count()
            at, previous = stack.pop()
            if at == goal:
                raise RegexError("it can read the same stretch of a text from many places")
            if previous <= seen.get(at, frozenset()):
                continue
            seen[at] = seen.get(at, frozenset()) | previous
            first, second, third = at
            for new_third, a in self._next(third, anything, previous):
                if new_third not in loop:
                    continue
                for new_second, b in self._next(second, a, previous):
                    for new_first, c in self._next(first, b, previous):
                        if other != SEARCH or new_first == SEARCH:
                            stack.append(((new_first, new_second, new_third), c))

    def _refuse_two_ways(self, state: int, loop: set[int]) -> None:
        """Question 3."""
        anything = self._characters[SEARCH]
        stack = [(state, state, False, anything)]
        seen: dict[tuple[int, int, bool], frozenset[str]] = {}
        while stack:
            self._count()
            first, second, apart, previous = stack.pop()
            key = (first, second, apart)
            if previous <= seen.get(key, frozenset()):
                continue
            seen[key] = seen.get(key, frozenset()) | previous
            for new_first, a in self._next(first, anything, previous):
                if new_first not in loop:
                    continue
                ways = list(self._next(second, a, previous))
                for new_second, b in ways:
                    if new_second not in loop:
                        continue
                    twice = first == second and [way for way, _ in ways].count(new_first) > 1
                    now_apart = apart or new_first != new_second or twice
                    if now_apart and new_first == new_second == state:
                        raise RegexError("it can read the same stretch of a text in many ways")
                    stack.append((new_first, new_second, now_apart, b))


def _both(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    if one is None or other is None:
        return other if one is None else one
    return one & other


def judge_regex(automaton: Automaton, alphabet: frozenset[str]) -> None:
    """Raises RegexError unless searching a text for all matches takes time linear in its length."""
    _Judge(automaton, alphabet).judge()
