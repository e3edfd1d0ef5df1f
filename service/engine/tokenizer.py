"""Text to token ids: exactly what the bundle's ``tokenizer.json`` says and nothing beside it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from service.engine.bundle import Bundle, BundleError
from service.engine.text_length import TextLength
from service.engine.tokenizer_proof import prove_tokenizer_file

TokenIds = npt.NDArray[np.int32]
Side = Literal["left", "right"]

# A text of more characters than this for each token that it may have is too long whatever it
# says: words have about five. 4,096 tokens are 131,072 characters, and those are tokenised in at
# most 0.3 s and 150 MB.
CHARACTERS_PER_TOKEN = 32
# Of all texts together, for each token that they may have together: beyond these they are no longer
# tokenised, so that a request of 2 MiB takes 2 s at most, whatever its bytes.
TOTAL_CHARACTERS_PER_TOKEN = 16
TOKENS_FOUND_PER_TOKEN = 2


class TextTooLong(Exception):
    """Text ``index`` of those given has more tokens, or more characters, than allowed."""

    def __init__(self, index: int, found: int, limit: int, unit: Literal["tokens", "characters"]):
        super().__init__(f"the text has {found} {unit}, at most {limit} are allowed")
        self.index = index
        self.found = found
        self.limit = limit
        self.unit = unit


class TextsTooLong(Exception):
    """The texts have together more tokens, or more characters, than will be tokenised at once."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """Token ids of each text, (time,), and how many texts were cut.

    ``tokens`` are all that were found, before cutting.
    """

    token_ids: list[TokenIds]
    tokens: int
    truncated: int


class TextTokenizer:
    """Hugging Face tokenizer of a bundle.

    Raises:
        BundleError: ``tokenizer.json`` does not parse, does not fit the embedding, or may take more
            time or memory than grows with the text.
    """

    def __init__(self, bundle: Bundle) -> None:
        content = bundle.read("tokenizer.json")
        try:
            self._length = TextLength(prove_tokenizer_file(content))
            self._tokenizer = Tokenizer.from_buffer(content)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # a panic on the Rust side is no Exception
            raise BundleError(f"{bundle.directory}: tokenizer.json: {error}") from None
        largest = max(self._tokenizer.get_vocab().values(), default=-1)
        rows = bundle.manifest.sizes.vocabulary
        if not 0 <= largest < rows:
            raise BundleError(
                f"{bundle.directory}: tokenizer.json has the token id {largest},"
                f" the embedding {rows} rows"
            )
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()

    def characters(self, texts: list[str]) -> int:
        """Characters of all texts as tokenising will see them: what its cost grows with."""
        return self._length.of("".join(texts))

    def encode(self, texts: list[str]) -> list[TokenIds]:
        """Token ids of each text, (time,), however long it is.

        The batch call is the one that lets other threads run meanwhile, and it skips offsets.
        """
        encodings = self._tokenizer.encode_batch_fast(texts)
        return [np.array(encoding.ids, dtype=np.int32) for encoding in encodings]

    def encode_within(
        self, texts: list[str], max_tokens: int, total_tokens: int, truncate: Side | None = None
    ) -> Encoded:
        """Token ids of each text, at most ``max_tokens``, in bounded memory and time.

        ``total_tokens`` is what the caller would take of all texts. With ``truncate``, the side to
        cut, a text that is too long is cut: to its first or last 32 characters for each allowed
        token, and what has too many tokens still, to its tokens.

        Raises:
            TextTooLong: a text is too long and may not be cut.
            TextsTooLong: all together are far beyond ``total_tokens``.
        """
        limit = CHARACTERS_PER_TOKEN * max_tokens
        fitting, cut = self._fit(texts, limit, truncate)
        self._check_total(fitting, max(limit, TOTAL_CHARACTERS_PER_TOKEN * total_tokens))
        token_ids: list[TokenIds] = []
        tokens = 0
        for group in self._groups(fitting, limit):
            if tokens > TOKENS_FOUND_PER_TOKEN * total_tokens:
                raise TextsTooLong(f"the texts have more than {tokens} tokens together")
            for ids in self.encode(group):
                index, count = len(token_ids), len(ids)
                tokens += count
                if count > max_tokens:
                    if truncate is None:
                        raise TextTooLong(index, count, max_tokens, "tokens")
                    ids = ids[:max_tokens] if truncate == "right" else ids[-max_tokens:]
                    ids = ids.copy()  # the rest of the array would be kept alive
                    cut.add(index)
                token_ids.append(ids)
        return Encoded(token_ids, tokens, len(cut))

    def _fit(
        self, texts: list[str], limit: int, truncate: Side | None
    ) -> tuple[list[str], set[int]]:
        """Texts of at most ``limit`` characters, and the indices of those that were cut."""
        fitting, cut = list(texts), set()
        for index, text in enumerate(texts):
            # Most texts are too short to grow beyond the limit: nothing is counted.
            if len(text) * self._length.most <= limit:
                continue
            if len(text) <= limit and self._length.of(text) <= limit:
                continue
            if truncate is None:
                found = len(text) if len(text) > limit else self._length.of(text)
                raise TextTooLong(index, found, limit, "characters")
            keep = self._length.first if truncate == "right" else self._length.last
            fitting[index] = keep(text, limit)
            cut.add(index)
        return fitting, cut

    def _check_total(self, texts: list[str], limit: int) -> None:
        if sum(map(len, texts)) * self._length.most > limit:
            characters = self.characters(texts)
            if characters > limit:
                raise TextsTooLong(
                    f"the texts have {characters} characters together, at most {limit} are allowed"
                )

    def _groups(self, texts: list[str], limit: int) -> Iterator[list[str]]:
        """Texts of at most ``limit`` characters together, so that memory is that of one such."""
        if sum(map(len, texts)) * self._length.most <= limit:
            yield texts
            return
        group: list[str] = []
        size = 0
        for text in texts:
            characters = self._length.of(text)
            if group and size + characters > limit:
                yield group
                group, size = [], 0
            group.append(text)
            size += characters
        if group:
            yield group

    def tokens(self, text: str, max_tokens: int) -> list[tuple[int, str, int, int]]:
        """Id, token and the half-open character range in ``text`` of each token.

        Raises:
            TextTooLong: there are more than ``max_tokens``, or too many characters for so many.
        """
        self._fit([text], CHARACTERS_PER_TOKEN * max_tokens, None)
        # The batch call, because it lets other threads run meanwhile.
        (encoding,) = self._tokenizer.encode_batch([text])
        if len(encoding) > max_tokens:
            raise TextTooLong(0, len(encoding), max_tokens, "tokens")
        return [
            (token_id, token, start, stop)
            for token_id, token, (start, stop) in zip(
                encoding.ids, encoding.tokens, encoding.offsets, strict=True
            )
        ]
