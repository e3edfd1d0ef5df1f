"""The JSON bodies of ``/predict`` and ``/tokenize``: the wire format and its documentation."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from service.failure import Invalid, TooLarge

TextOrSingleton = str | Annotated[list[str], Field(min_length=1, max_length=1)]
Inputs = str | Annotated[list[TextOrSingleton], Field(min_length=1)]


class TokenizeRequest(BaseModel):
    """Texts to split into tokens."""

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"example": {"inputs": "A lovely film."}}
    )

    inputs: Inputs = Field(description='`"text"`, `["a", "b"]` or `[["a"], ["b"]]`')


class PredictRequest(BaseModel):
    """One text or a batch of them, in the format of Text Embeddings Inference's `/predict`."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"example": {"inputs": "A lovely film."}},
    )

    inputs: Inputs = Field(
        description='`"text"`, `["a", "b"]` or `[["a"], ["b"]]`; a list is a batch, never a pair'
    )
    truncate: bool = Field(False, description="cut texts of more than `max_tokens` tokens")
    truncation_direction: Literal["Left", "Right", "left", "right"] = Field(
        "Right", description="the side that is cut off"
    )
    raw_scores: bool = Field(False, description="logits instead of probabilities")
    timeout_ms: int | None = Field(None, ge=1, description="deadline; shortens the service's own")


class LabelScore(BaseModel):
    label: str
    score: float


PredictReply = list[LabelScore] | list[list[LabelScore]]

LENGTH_PROBLEMS = ("too_long", "too_short")
_PREDICT = TypeAdapter(PredictRequest)
_TOKENIZE = TypeAdapter(TokenizeRequest)


def parse_predict(body: bytes) -> PredictRequest:
    """Raises Invalid, naming field and index."""
    try:
        return _PREDICT.validate_json(body)
    except ValidationError as error:
        raise Invalid(_sentence(error)) from None


def parse_tokenize(body: bytes) -> TokenizeRequest:
    """Raises Invalid, naming field and index."""
    try:
        return _TOKENIZE.validate_json(body)
    except ValidationError as error:
        raise Invalid(_sentence(error)) from None


def texts_of(inputs: Inputs, max_texts: int) -> tuple[list[str], bool]:
    """The texts, none of them blank, and whether they came as a batch.

    Raises:
        TooLarge: more than ``max_texts``.
        Invalid: a blank text.
    """
    batch = not isinstance(inputs, str)
    items = [inputs] if isinstance(inputs, str) else inputs
    if len(items) > max_texts:
        raise TooLarge(f"inputs: {len(items)} texts, at most {max_texts} are allowed")
    texts = [item if isinstance(item, str) else item[0] for item in items]
    for index, text in enumerate(texts):
        if not text or text.isspace():
            raise Invalid(f"{place(index, batch)}: the text is blank")
    return texts, batch


def place(index: int, batch: bool) -> str:
    return f"inputs[{index}]" if batch else "inputs"


def _sentence(error: ValidationError) -> str:
    """The first problem with its place, in one sentence that quotes nothing of the input."""
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    # A union reports every branch that failed; the one that got furthest is the one meant.
    problem = max(
        problems,
        key=lambda problem: (len(_indices(problem["loc"])), problem["type"] in LENGTH_PROBLEMS),
    )
    field = str(problem["loc"][0])[:50] if problem["loc"] else "body"
    indices = _indices(problem["loc"])
    name = field + "".join(f"[{index}]" for index in indices)
    if field != "inputs" or problem["type"] == "missing":
        return f"{name}: {problem['msg']}"
    if problem["type"] == "too_short" and not indices:
        return "inputs: the list is empty"
    if problem["type"] in LENGTH_PROBLEMS:
        return f"{name}: must hold exactly one text (pairs of sentences are not supported)"
    return f"{name}: must be a string" + ("" if indices else " or a list of strings")


def _indices(location: tuple[int | str, ...]) -> list[int]:
    return [part for part in location if isinstance(part, int)]
