"""Validate requests, and explain what is wrong with them.

A field's description says what belongs there, so it is also the error message.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TypeVar

from django.http import QueryDict
from pydantic import BaseModel, ValidationError

from recognizer.reader.drawing import DrawingError

Model = TypeVar("Model", bound=BaseModel)
Place = tuple[int | str, ...]


def judged(model: type[Model], data: Any) -> Model:
    """Validate data and return it as a model.

    Raises:
        DrawingError: names each field that is wrong, what it got, and what belongs
            there.
    """
    try:
        return model.model_validate(data if isinstance(data, Mapping) else {})
    except ValidationError as error:
        raise _in_our_words(model, data, error) from None


def query_in(model: type[Model], query: QueryDict) -> Model:
    """Validate a query string: each parameter must be known and given once.

    Raises:
        DrawingError: as `judged`.
    """
    known = [field.alias or name for name, field in model.model_fields.items()]
    for name, values in query.lists():
        if name not in known:
            there_are = (
                f"accepts {', '.join(known)}" if known else "takes no parameters"
            )
            raise DrawingError(
                "invalid",
                f"There is no parameter {name[:40]!r}: this call {there_are}.",
                {name[:40]: "unknown"},
            )
        if len(values) > 1:
            raise DrawingError(
                "invalid",
                f"{name} was given {len(values)} times. Give it once.",
                {name: "repeated"},
            )
    return judged(model, query.dict())


def got(value: Any) -> str:
    """Show a bad value in at most 60 characters, without writing out a huge one."""
    if isinstance(value, list | dict):
        kind = "a list" if isinstance(value, list) else "an object"
        return f"got {kind} of {len(value):,}"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 1e18:
        return "got a huge number"
    text = repr(value[:60] if isinstance(value, str) else value)
    return f"got {text if len(text) <= 60 else f'{text[:57]}...'}"


def _in_our_words(
    model: type[BaseModel], data: Any, error: ValidationError
) -> DrawingError:
    """Turn the first error of each field into a sentence of ours."""
    sentences: dict[int | str, str] = {}
    fields: dict[str, str] = {}
    for mistake in error.errors(include_url=False):
        ours = mistake.get("ctx", {}).get("error")
        if isinstance(ours, DrawingError):  # raised by one of our validators
            return ours
        name = mistake["loc"][0]
        if name not in sentences:
            place, sentences[name] = _described(model, mistake["loc"])
            fields[_written(place)] = got(_value_at(data, place))
    return DrawingError("invalid", " ".join(sentences.values()), fields)


def _described(model: type[BaseModel], place: Place) -> tuple[Place, str]:
    """Return the innermost description along an error's path, and where it is."""
    schema = _schema_of(model)
    found: tuple[Place, str] = ((), "")
    for depth, key in enumerate(place, 1):
        inner = schema.get("properties", {}).get(key) or schema.get("items")
        if inner is None:
            break
        schema = inner
        if "description" in schema:
            found = place[:depth], schema["description"]
    return found


@lru_cache
def _schema_of(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema()


def _written(place: Place) -> str:
    """Format a path such as `strokes[3][7]`."""
    return str(place[0]) + "".join(f"[{index}]" for index in place[1:])


def _value_at(data: Any, place: Place) -> Any:
    for key in place:
        try:
            data = data[key]
        except (KeyError, IndexError, TypeError):
            return None  # nothing was sent
    return data
