"""Parameters of the address that a call does not know are errors."""

from collections.abc import Iterable

from django.http import QueryDict

from recognizer.reader.drawing import DrawingError


def refuse_unknown(query: QueryDict, known: Iterable[str]) -> None:
    """Refuse a parameter that a call does not have, or one that is given twice.

    Raises:
        DrawingError: names it, and those there are.
    """
    known = tuple(known)
    for name, values in query.lists():
        if name not in known:
            there_are = f"knows {', '.join(known)}" if known else "takes none"
            raise DrawingError(
                "invalid",
                f"There is no parameter {name[:40]!r}: this call {there_are}.",
                {name[:40]: "unknown"},
            )
        if len(values) > 1:
            raise DrawingError(
                "invalid",
                f"{name} was given {len(values)} times: give it once.",
                {name: "repeated"},
            )
