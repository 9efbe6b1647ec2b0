"""Documents as pydantic models: each declares what is read of a JSON object, which is checked before anything looks in.

A document may have keys that are not declared: other versions write more. What is declared has types that fit, and
numbers that can be shown and divided by.
"""

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from explorer.reading import DamagedError

Text = Annotated[str, Field(max_length=100_000)]
Count = Annotated[int, Field(ge=0, le=10**15)]
Positive = Annotated[int, Field(ge=1, le=10**15)]
Number = Annotated[float, Field(ge=-1e15, le=1e15, allow_inf_nan=False)]
Amount = Annotated[float, Field(ge=0, le=1e15)]
Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0, le=1e9)]
Moment = Annotated[float, Field(ge=0, le=2**32)]  # seconds since the epoch, until 2106


class Document(BaseModel):
    """A JSON object of which these keys are read."""

    model_config = ConfigDict(strict=True, extra="allow")


Kind = TypeVar("Kind", bound=Document)


def checked(document: Any, kind: type[Kind], where: object) -> Any:
    """The document itself, once it holds what its kind declares.

    Raises:
        DamagedError: it doesn't; the message names the place in it.
    """
    try:
        kind.model_validate(document)
    except ValidationError as error:
        raise DamagedError(f"{str(where)!r} is damaged: {_said(error)}") from None
    return document


def fits(document: Any, kind: type[Document]) -> bool:
    """Whether a document holds what its kind declares."""
    try:
        kind.model_validate(document)
    except ValidationError:
        return False
    return True


def check_inner(place: str, document: object, kind: type[Document]) -> None:
    """Refuses a document inside of another one, from that one's validator."""
    try:
        kind.model_validate(document)
    except ValidationError as error:
        raise ValueError(f"{place}: {_said(error)}") from None


def check_number(
    document: Document, key: str, low: float = -1e15, high: float = 1e15, *, required: bool = False
) -> None:
    """Refuses a key that stands beside those declared and holds no number; null is one that is not known."""
    beside = document.model_extra or {}
    if key not in beside and required:
        raise ValueError(f"it lacks {key!r}")
    value = beside.get(key)
    if value is not None and (
        isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high
    ):
        raise ValueError(f"{key!r} should be a number from {low:g} to {high:g}")


def _said(error: ValidationError) -> str:
    """Where the first trouble is, and what it is."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(map(str, first["loc"]))
    message = first["msg"].removeprefix("Value error, ")
    return f"{place}: {message[:1].lower() + message[1:]}" if place else message
