"""What the API's calls say of themselves, noted where they are written.

`schema` makes the OpenAPI description of it, with drf-spectacular, which is loaded by
the first who asks for that.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from recognizer.drawings.filters import FILTERS

Method = TypeVar("Method", bound=Callable[..., Any])

# Names of what `schema` describes: parameters of the address, and a kind of bodies.
INCLUDE = "include"
FILTER_PARAMETERS = FILTERS
PAGE_PARAMETERS = ("page_size", "before", "after")
AS = "as"
DRAWING_BODIES = "any drawing"


@dataclass(frozen=True)
class Call:
    """One call of the API; the docstring of its method is its description."""

    method: Callable[..., Any]
    operation_id: str
    summary: str
    tag: str
    takes: str | None
    answers: Mapping[int, str | None]
    files: Sequence[str]
    parameters: Sequence[str]
    of_one: bool
    once: bool


CALLS: list[Call] = []


def call(
    operation_id: str,
    summary: str,
    *,
    tag: str,
    takes: str | None = None,
    answers: Mapping[int, str | None] | None = None,
    files: Sequence[str] = (),
    parameters: Sequence[str] = (),
    of_one: bool = False,
    once: bool = False,
) -> Callable[[Method], Method]:
    """Describe a call; its docstring is the description.

    Args:
        takes: component of the JSON body, or DRAWING_BODIES.
        answers: component by status; None where there is no body.
        files: media types of an answer that is a file.
        of_one: it is about one submission. once: it takes an `Idempotency-Key`.
    """

    def noted(method: Method) -> Method:
        CALLS.append(
            Call(
                method=method,
                operation_id=operation_id,
                summary=summary,
                tag=tag,
                takes=takes,
                answers=answers or {},
                files=files,
                parameters=parameters,
                of_one=of_one,
                once=once,
            )
        )
        return method

    return noted
