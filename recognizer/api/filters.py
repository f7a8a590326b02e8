"""How lists and exports are narrowed down; what they do not know is an error."""

from collections.abc import Iterable

from django.http import QueryDict

from recognizer.models import SubmissionQuerySet
from recognizer.reader.drawing import DrawingError

FILTERS = ("digit", "refused", "feedback")


def filtered(submissions: SubmissionQuerySet, query: QueryDict) -> SubmissionQuerySet:
    """Narrow submissions down by `query`.

    Raises:
        DrawingError: names each filter whose value is none.
    """
    from recognizer.api.filterset import SubmissionFilter

    # An empty value filters nothing for django-filter; here it is a mistake.
    given = {name: query[name] or "(empty)" for name in FILTERS if name in query}
    asked = SubmissionFilter(given, queryset=submissions)
    if not asked.is_valid():
        sentences = {name: str(messages[0]) for name, messages in asked.errors.items()}
        raise DrawingError("invalid", " ".join(sentences.values()), sentences)
    narrowed: SubmissionQuerySet = asked.qs
    return narrowed


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
