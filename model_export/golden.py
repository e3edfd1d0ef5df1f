"""Texts with the ids and logits of the exported weights, by which a server checks itself."""

import torch
from tokenizers import Tokenizer

from model_export.classifier import Classifier, pad
from model_export.generated_texts import FIXED, generate_text
from service.engine.golden import GoldenText

# One text beyond a thousand tokens, where recurrent states have had time to drift apart.
GENERATED_WORDS = (2, 7, 25, 60, 180, 400, 1000)


def golden_texts(classifier: Classifier, tokenizer: Tokenizer) -> list[GoldenText]:
    texts = [*FIXED, *(generate_text(words, words) for words in GENERATED_WORDS)]
    ids = [tokenizer.encode(text).ids for text in texts]
    classifier.eval()
    with torch.inference_mode():
        logits = [classifier(*pad([text_ids]))[0].tolist() for text_ids in ids]
    return [
        GoldenText(text=text, token_ids=text_ids, logits=text_logits)
        for text, text_ids, text_logits in zip(texts, ids, logits, strict=True)
    ]
