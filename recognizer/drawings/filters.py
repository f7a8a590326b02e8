"""How lists and exports of drawings are narrowed down."""

import django_filters
from django.http import QueryDict

from recognizer.models import Submission, SubmissionQuerySet, Verdict
from recognizer.reader.drawing import DrawingError


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
