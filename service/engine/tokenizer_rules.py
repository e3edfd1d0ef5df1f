"""What a ``tokenizer.json`` may ask for, judged before a tokenizer is made of it.

Only kinds of rules are allowed whose cost is known to grow with the text and no faster: everything
else is refused by name. Regular expressions are judged by ``regex_cost``. How much longer a text
may become is bounded: a ``Replace`` by what it puts in the place of its shortest match, all of them
together by the product. Unicode's own growth (NFKC makes 18 characters of U+FDFA) is counted for
each text, see ``text_length``.
"""

import json
import unicodedata
from collections.abc import Iterator
from typing import Any, NoReturn

from tokenizers import Regex, normalizers

from service.engine.regex_cost import judge_regex
from service.engine.regex_syntax import RegexError, parse_regex

# Of everything but the vocabulary. A house tokenizer has 13 rules and 3 kB of them.
RULES_LIMIT = 64
RULES_BYTES_LIMIT = 64 << 10
# Replacing may make a text at most so many times longer: six times is what the house rules come to.
GROWTH_LIMIT = 8.0
ADDED_TOKENS_LIMIT = 1000
# WordPiece looks for the pieces of a word in time that grows with the square of its length.
WORD_CHARACTERS_LIMIT = 200

FORMS = ("NFC", "NFD", "NFKC", "NFKD")
NORMALIZERS = {*FORMS, "Sequence", "Lowercase", "StripAccents", "Strip", "Replace"}
PRE_TOKENIZERS = {
    *("Sequence", "Split", "ByteLevel", "Whitespace", "WhitespaceSplit", "Punctuation", "Digits"),
    "BertPreTokenizer",
}
MODELS = {"BPE", "WordLevel", "WordPiece"}
POST_PROCESSORS = {"ByteLevel"}
DECODERS = {"ByteLevel", "BPEDecoder", "WordPiece"}


class TokenizerRefused(Exception):
    """The message says why in one sentence, without naming the file."""


class TokenizerRules:
    """The rules of a ``tokenizer.json``, all of them allowed.

    ``forms`` are its Unicode normal forms in their order, ``units`` pieces of text that its rules
    look for: what a probe is made of.

    Raises:
        TokenizerRefused: a rule is of an unknown kind, too costly, or lengthens texts too much.
    """

    def __init__(self, content: bytes) -> None:
        try:
            found = json.loads(content)
        except (ValueError, RecursionError):
            _refuse("it is not JSON")
        if not isinstance(found, dict) or not isinstance(found.get("model"), dict):
            _refuse("it holds no tokenizer")
        self.units: list[str] = []
        self.forms: list[str] = []
        self._check_size(found)
        self._check_model(found["model"])
        self._check_added_tokens(found.get("added_tokens") or [])
        rules = list(_rules(found.get("normalizer"), "normalizer", NORMALIZERS, "normalizers"))
        rules_of_words = list(
            _rules(found.get("pre_tokenizer"), "pre_tokenizer", PRE_TOKENIZERS, "pretokenizers")
        )
        for name, allowed in (("post_processor", POST_PROCESSORS), ("decoder", DECODERS)):
            list(_rules(found.get(name), name, allowed, ""))
        self._alphabet = _alphabet(json.dumps([rules, rules_of_words], ensure_ascii=False))
        self._found: dict[str, frozenset[str]] = {}
        growth = 1.0
        for rule in rules:
            if rule["type"] in FORMS:
                self.forms.append(rule["type"])
            elif rule["type"] == "Replace":
                growth *= self._replace_growth(rule)
        if growth > GROWTH_LIMIT:
            _refuse(f"its Replace rules may make a text {growth:.3g} times longer")
        for rule in rules_of_words:
            if rule["type"] == "Split":
                self._shortest_match(rule)

    def _check_size(self, found: dict[str, Any]) -> None:
        rules = {
            name: part for name, part in found.items() if name not in ("model", "added_tokens")
        }
        if len(json.dumps(rules, ensure_ascii=False)) > RULES_BYTES_LIMIT:
            _refuse(f"its rules have more than {RULES_BYTES_LIMIT} characters")

    def _check_model(self, model: dict[str, Any]) -> None:
        kind = model.get("type")
        if kind not in MODELS:
            _refuse(f"its model is {str(kind)[:50]!r}, of which nothing is known")
        if model.get("dropout") is not None:
            _refuse("its model drops merges by chance")
        longest = model.get("max_input_chars_per_word", 0)
        if kind == "WordPiece" and not (
            isinstance(longest, int) and longest <= WORD_CHARACTERS_LIMIT
        ):
            _refuse(f"its words may have more than {WORD_CHARACTERS_LIMIT} characters")

    def _check_added_tokens(self, added: Any) -> None:
        if not isinstance(added, list) or len(added) > ADDED_TOKENS_LIMIT:
            _refuse(f"it adds more than {ADDED_TOKENS_LIMIT} tokens")
        for token in added:
            # What stands around each of these is looked for in everything before it.
            if not isinstance(token, dict) or any(
                token.get(name) for name in ("single_word", "lstrip", "rstrip")
            ):
                _refuse("it adds a token that depends on what stands around it")
            self.units.append(str(token.get("content", ""))[:50])

    def _replace_growth(self, rule: dict[str, Any]) -> float:
        """How many times longer a text may become, at most."""
        content = rule.get("content")
        if not isinstance(content, str):
            _refuse("a Replace has no content")
        shortest, anchored = self._shortest_match(rule)
        added = len(unicodedata.normalize("NFKD", content))
        if anchored:  # once in a text, not once in every place of it
            return 1.0 if added <= GROWTH_LIMIT else float(added)
        return max(1.0, added / shortest if shortest else 1.0 + added)

    def _shortest_match(self, rule: dict[str, Any]) -> tuple[int, bool]:
        """Characters of the shortest match, and whether only the start of a text can match."""
        pattern = rule.get("pattern")
        if isinstance(pattern, dict) and isinstance(pattern.get("String"), str):
            if not pattern["String"]:
                _refuse("a rule looks for nothing")
            self.units.append(pattern["String"][:50])
            return len(pattern["String"]), False
        if not isinstance(pattern, dict) or not isinstance(pattern.get("Regex"), str):
            _refuse("a rule has no pattern")
        regex = pattern["Regex"]
        try:
            automaton = parse_regex(regex, self._members)
            judge_regex(automaton, self._alphabet)
        except RegexError as error:
            _refuse(
                f"of the expression {regex[:100]!r} it can't be said that it is linear: {error}"
            )
        for characters, _ in automaton.reads.values():
            # One letter or digit is as good as another, and the probe has those.
            self.units += [c for c in sorted(characters)[-1:] if not (c.isascii() and c.isalnum())]
        return automaton.shortest, regex.startswith(r"\A") and "|" not in regex

    def _members(self, expression: str) -> frozenset[str]:
        """The characters of the alphabet that an expression of one character matches."""
        if expression not in self._found:
            try:
                others = normalizers.Replace(Regex(expression), "")
            except Exception as error:  # Onigmo's errors share no other base
                raise RegexError(str(error)) from None
            rest = frozenset(others.normalize_str("".join(sorted(self._alphabet))))
            self._found[expression] = self._alphabet - rest
        return self._found[expression]


def _rules(rule: Any, place: str, allowed: set[str], parts: str) -> Iterator[dict[str, Any]]:
    """The rules of one place of the file, one after the other."""
    waiting, seen = [rule] if rule is not None else [], 0
    while waiting:
        rule = waiting.pop(0)
        seen += 1
        if seen > RULES_LIMIT:
            _refuse(f"its {place} has more than {RULES_LIMIT} rules")
        kind = rule.get("type") if isinstance(rule, dict) else None
        if kind not in allowed:
            _refuse(f"its {place} has a rule {str(kind)[:50]!r}, of which nothing is known")
        if kind == "Sequence":
            if not isinstance(rule.get(parts), list):
                _refuse(f"its {place} has a sequence of nothing")
            waiting[:0] = rule[parts]
        else:
            yield rule


def _alphabet(rules: str) -> frozenset[str]:
    """Samples of Unicode: Latin-1, two of every category, what the rules name and its neighbours.

    Where a range begins and ends, its membership changes: neighbours tell ranges apart.
    """
    categories: dict[str, list[str]] = {}
    for code in range(0x3000):
        found = categories.setdefault(unicodedata.category(chr(code)), [])
        if len(found) < 2:
            found.append(chr(code))
    samples = {chr(code) for code in range(256)} | {"\u2028", "漢", "한", "🙂", "\U0001f3fd"}
    named = {ord(character) for character in rules} | {
        int(rules[at + 2 : at + 6], 16)
        for at in range(len(rules) - 5)
        if rules.startswith("\\u", at) and _is_hexadecimal(rules[at + 2 : at + 6])
    }
    near = {
        chr(code + step) for code in named for step in (-1, 0, 1) if 0 <= code + step < 0x110000
    }
    samples |= near | {character for found in categories.values() for character in found}
    return frozenset(character for character in samples if unicodedata.category(character) != "Cs")


def _is_hexadecimal(text: str) -> bool:
    return all(character in "0123456789abcdefABCDEF" for character in text)


def _refuse(why: str) -> NoReturn:
    raise TokenizerRefused(why)
