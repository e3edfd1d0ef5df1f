"""The tokenizer: words and pieces of words learned from the training texts.

Everything that happens to a text stands inside ``tokenizer.json``, so that whoever loads that file
gets the ids the model was trained on. Original text ("It's lovely!") and the tokenised lower case
of treebanks ("it 's lovely !") become the same ids.
"""

from collections.abc import Iterable

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from tokenizers.pre_tokenizers import ByteLevel

from model_export.configuration import VocabularyConfiguration

# Onigmo patterns, in order. Replacements are literal, hence the lookaheads.
REPLACEMENTS = (
    # HTML line breaks, entities and treebank brackets
    (r"<br\s*/?>", " "),
    (r"&amp;|&lt;|&gt;|&quot;|-[lr][rcs]b-", " "),
    # Addresses and people say nothing about an opinion but that they are there.
    (r"(?:https?://|www\.)\S+", " weblink "),
    (r"(?<![\p{L}\p{N}])@\w+", " @user "),
    # Quotation marks in all their forms
    (r"[’‘`´]", "'"),
    (r"[“”]|''", '"'),
    # "do n't" and "it 's" are "don't" and "it's".
    (r"(?<!\s)\s+(?=(?:n't|'(?:s|m|d|t|re|ve|ll))(?![\p{L}\p{N}]))", ""),
    # "soooo" and "!!!!!" keep two.
    (r"([\p{L}!?.*\-=_])(?=\1\1)", ""),
    # A text that held only spaces and breaks still has one token: the cells refuse length 0.
    (r"\A\s*\z", "."),
)
# Words with their clitics, numbers, smileys, other single characters; white space separates.
WORDS = (
    r"[@#]?\p{L}[\p{L}\p{M}]*(?:'\p{L}+)*|\p{N}+|[!?.]+|[:;=][-']?[()\[\]dp/\\|]+|[^\s\p{L}\p{N}]"
)


def learn_tokenizer(texts: Iterable[str], configuration: VocabularyConfiguration) -> Tokenizer:
    """Byte-level BPE (Sennrich et al. 2016), so that any Unicode text has ids."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.NFKC(),
            normalizers.Lowercase(),
            *(normalizers.Replace(Regex(pattern), by) for pattern, by in REPLACEMENTS),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), behavior="removed", invert=True),
            # The prefix space tells a word's first piece from pieces inside words.
            ByteLevel(add_prefix_space=True, use_regex=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=configuration.size,
        min_frequency=configuration.min_frequency,
        initial_alphabet=ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer
