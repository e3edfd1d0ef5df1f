"""Texts of any length made from a few words of our own, for proofs that need no data."""

import random

FIXED = (
    "good",
    "not bad",
    "It's a lovely film!",
    "it 's a lovely film !",
    "I WANT MY TWO HOURS BACK.",
    "Great cast, dreadful script.<br /><br />See www.example.org/review & decide, @anyone 😀",
    "Die Handlung war schwer zu verstehen. 映画はとても長かった。",
    "sooooo goooood!!!!! \u0000 \u0085 ‘quoted’ “twice” … naïve café",
)
SUBJECTS = ("the film", "this blender", "her voice", "our room", "the plot", "his new phone")
VERBS = ("was", "seemed", "felt", "is", "wasn't", "never became")
QUALITIES = ("wonderful", "dull", "quite good", "a mess", "hardly worth it", "fine", "broken")
JOINS = (".", ", and", ", but", "; still,", "!", "?", " because")


def generate_text(words: int, seed: int) -> str:
    """Clauses about opinions, at least ``words`` words long."""
    draw = random.Random(seed)
    text: list[str] = []
    while len(text) < words:
        clause = f"{draw.choice(SUBJECTS)} {draw.choice(VERBS)} {draw.choice(QUALITIES)}"
        text.extend((clause + draw.choice(JOINS)).split())
    return " ".join(text[:words])
