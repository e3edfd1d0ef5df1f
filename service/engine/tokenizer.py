"""Text to token ids: exactly what the bundle's ``tokenizer.json`` says and nothing beside it."""

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from service.engine.bundle import Bundle, BundleError

TokenIds = npt.NDArray[np.int32]


class TextTokenizer:
    """Hugging Face tokenizer of a bundle.

    Raises:
        BundleError: ``tokenizer.json`` does not parse or does not fit the embedding.
    """

    def __init__(self, bundle: Bundle) -> None:
        content = bundle.read("tokenizer.json")
        try:
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

    def encode(self, texts: list[str]) -> list[TokenIds]:
        """Token ids of each text, (time,).

        The batch call is the one that lets other threads run meanwhile, and it skips offsets.
        """
        encodings = self._tokenizer.encode_batch_fast(texts)
        return [np.array(encoding.ids, dtype=np.int32) for encoding in encodings]

    def tokens(self, text: str) -> list[tuple[int, str, int, int]]:
        """Id, token and the half-open character range in ``text`` of each token."""
        encoding = self._tokenizer.encode(text)
        return [
            (token_id, token, start, stop)
            for token_id, token, (start, stop) in zip(
                encoding.ids, encoding.tokens, encoding.offsets, strict=True
            )
        ]
