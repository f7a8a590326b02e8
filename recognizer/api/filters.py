"""How lists and exports are narrowed down; what they do not know is an error."""

from collections.abc import Iterable

import django_filters
from django.http import QueryDict

from recognizer.drawing import DrawingError
from recognizer.models import Submission, SubmissionQuerySet, Verdict


class SubmissionFilter(django_filters.FilterSet):
    """By what was shown of a drawing, and what its visitor said of that."""

    digit = django_filters.TypedChoiceFilter(
        field_name="shown_digit",
        choices=[(str(digit), str(digit)) for digit in range(10)],
        coerce=int,
        error_messages={"invalid_choice": "digit is a whole number from 0 to 9."},
    )
    refused = django_filters.TypedChoiceFilter(
        field_name="shown_digit",
        lookup_expr="isnull",
        choices=[("true", "true"), ("false", "false")],
        coerce=lambda value: value == "true",
        error_messages={"invalid_choice": "refused is true or false."},
    )
    feedback = django_filters.ChoiceFilter(
        field_name="verdict",
        choices=[
            (verdict, verdict)
            for verdict in (Verdict.RIGHT, Verdict.WRONG, Verdict.NOT_A_DIGIT)
        ],
        null_label="none",
        null_value="none",
        method="with_feedback",
        error_messages={
            "invalid_choice": "feedback is right, wrong, not_a_digit or none."
        },
    )

    class Meta:
        model = Submission
        fields: tuple[str, ...] = ()

    def with_feedback(
        self, submissions: SubmissionQuerySet, name: str, value: str
    ) -> SubmissionQuerySet:
        """Keep those with this verdict; none where nothing was said."""
        return submissions.filter(**{name: "" if value == "none" else value})


FILTERS = tuple(SubmissionFilter.base_filters)


def filtered(submissions: SubmissionQuerySet, query: QueryDict) -> SubmissionQuerySet:
    """Narrow submissions down by `query`.

    Raises:
        DrawingError: names each filter whose value is none.
    """
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
