"""Seeded texts of realistic lengths, in words that a tokenizer knows.

Lengths are log-normal. Sentences have a mean of 17 words; reviews a mean of 234, a 95th percentile
of 600 and at most 2,500, like film reviews. They are generated, because a load test must not
need a data set.
"""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal["short", "long"]
Mix = Literal["short", "mixed", "long"]
MIXES: tuple[Mix, ...] = get_args(Mix)
# Enough that neither a cache of answers nor an unusual draw decides the figures.
TEXTS = 500
LONG_SHARE: dict[Mix, float] = {"short": 0.0, "mixed": 0.2, "long": 1.0}


@dataclass(frozen=True, slots=True)
class Lengths:
    """Log-normal number of words, ``exp(location + scale · normal)``, kept within bounds."""

    location: float
    scale: float
    fewest: int
    most: int

    def draw(self, random_source: random.Random) -> int:
        words = random_source.lognormvariate(self.location, self.scale)
        return min(self.most, max(self.fewest, round(words)))


# The location follows from mean = exp(location + scale² / 2); the scale of reviews is the one that
# puts their 95th percentile at 600 words.
LENGTHS: dict[Kind, Lengths] = {
    "short": Lengths(math.log(17) - 0.5**2 / 2, 0.5, 3, 60),
    "long": Lengths(math.log(234) - 0.738**2 / 2, 0.738, 12, 2500),
}


@dataclass(frozen=True, slots=True)
class LoadText:
    text: str
    kind: Kind


def generate(mix: Mix, count: int = TEXTS, seed: int = 0) -> list[LoadText]:
    """The same texts for the same arguments, on every machine."""
    random_source = random.Random(f"{mix} {seed}")
    longs = round(count * LONG_SHARE[mix])
    kinds: list[Kind] = ["long" if index < longs else "short" for index in range(count)]
    random_source.shuffle(kinds)
    return [LoadText(_text(kind, random_source), kind) for kind in kinds]


def _text(kind: Kind, random_source: random.Random) -> str:
    words_left = LENGTHS[kind].draw(random_source)
    sentences = []
    while words_left > 0:
        length = words_left
        # The last sentence takes what is left, so that none has only a word or two.
        if kind == "long" and words_left > 40:
            length = min(words_left, LENGTHS["short"].draw(random_source))
        sentences.append(_sentence(length, random_source))
        words_left -= length
    text = " ".join(sentences)
    return text.replace(". ", ".<br /><br />", 1) if len(sentences) > 8 else text


def _sentence(length: int, random_source: random.Random) -> str:
    words: list[str] = []
    clauses = _clauses(random_source)
    while len(words) < length:
        words += next(clauses)
    sentence = " ".join(words[:length])
    return sentence[0].upper() + sentence[1:] + random_source.choice(ENDINGS)


def _clauses(random_source: random.Random) -> Iterator[list[str]]:
    """Clauses and the links between them in turn, as lists of words."""
    while True:
        pattern = random_source.choice(CLAUSES)
        filled = " ".join(
            random_source.choice(SLOTS[part]) if part in SLOTS else part for part in pattern.split()
        )
        yield filled.replace("\0", " ").split()
        yield random_source.choice(LINKS).split()


ENDINGS = (".", ".", ".", ".", ".", ".", "!", "?", "...")
LINKS = (
    *("and", "but", "although", "because", "while", "so", "which means that", "even though"),
    *(", and", ", but", "; besides,", "-- and", ", yet", "until", "since", "where"),
)
CLAUSES = (
    "the NOUN was ADVERB ADJECTIVE",
    "NAME gives the NOUN a ADJECTIVE NOUN",
    "I VERBED the NOUN of this NOUN",
    "this NOUN is ADVERB ADJECTIVE , ADJECTIVE and ADJECTIVE",
    "it VERBS every NOUN with a ADJECTIVE NOUN",
    "you can't VERB such a ADJECTIVE NOUN",
    "NAME and NAME VERB the NOUN ADVERB",
    "we VERBED it TIME with my NOUN",
    "there isn't a ADJECTIVE NOUN in the whole NOUN",
    "nobody VERBED why the NOUN VERBS so ADVERB",
    "the NOUN by NAME VERBS a ADJECTIVE NOUN TIME",
    "my NOUN wouldn't VERB a NOUN like that",
    "( a ADJECTIVE NOUN , to be ADJECTIVE )",
    "what VERBS most is the ADJECTIVE NOUN",
)
# Underscores join words that fill one slot together.
WORDS = {
    "NOUN": """film story plot cast scene actor actress director camera music score ending script
        dialogue picture performance character hero villain soundtrack trailer sequel remake comedy
        thriller drama documentary romance book chapter author phone battery screen keyboard
        charger speaker headphones lens zoom tripod player manual warranty customer service price
        delivery package recipe kettle blender saucepan vacuum cleaner mattress hotel waiter menu
        dessert concert audience joke twist monologue choreography cinematography screenplay
        storyline melodrama atmosphere subplot flashback stereotype masterpiece disappointment
        evening weekend family brother daughter neighbour childhood""",
    "ADJECTIVE": """good bad great awful lovely dreadful dull brilliant clumsy charming tedious
        clever stupid funny sad touching cheap expensive sturdy flimsy fast slow quiet loud warm
        cold honest pretentious predictable surprising unforgettable forgettable believable
        ridiculous gorgeous hideous overrated underrated well-made half-hearted heartbreaking
        exhilarating lacklustre mesmerizing incoherent long-winded bittersweet tongue-in-cheek
        second-rate sumptuous insufferable delightful uninspired thought-provoking
        Kafkaesque""",
    "ADVERB": """very rather really simply quite hardly almost never always truly oddly painfully
        surprisingly beautifully terribly barely utterly mostly sometimes honestly wonderfully
        unbearably hopelessly unconvincingly""",
    "VERB": """watch love hate enjoy recommend forget believe buy return understand follow carry
        ruin deserve expect describe rewatch overlook salvage outshine""",
    "VERBS": """carries ruins holds follows loses fills lifts deserves explains drags repeats
        promises delivers squanders wastes celebrates undermines telegraphs""",
    "VERBED": """watched loved hated enjoyed bought returned expected understood followed forgot
        noticed wanted finished regretted recommended misjudged""",
    "TIME": """yesterday again twice tonight in_2004 for_90_minutes last_summer at_9:30 every_week
        in_the_1970s after_an_hour from_start_to_finish""",
    "NAME": """Anna Marlow Osei Kowalczyk Petra Delacroix Tom Hutchins Yamamoto Ingrid Varga
        O'Connell Brandt Priya Nakagawa Mrs_Abernathy Zoltan""",
}
SLOTS = {part: words.replace("_", "\0").split() for part, words in WORDS.items()}
