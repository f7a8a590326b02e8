"""Drawings as tasks of Label Studio; docs/api.md has its configuration for them.

Source: labelstud.io/guide/export, "Label Studio JSON format of annotated tasks".
"""

from typing import Any

from recognizer.models import Rejection, Submission


def task_of(submission: Submission, *, image: str) -> dict[str, Any]:
    """Return a drawing's task: its reading as a prediction, its truth as annotation.

    image: address or data URL of its picture. The submission needs its shown
    prediction.
    """
    shown = submission.shown_prediction
    read = _results(
        digit=shown.digit,
        number="" if shown.refusal else shown.number_text,
        reason=shown.refusal if shown.refusal in Rejection.values else "",
    )
    known = _results(
        digit=submission.known_digit,
        number=submission.known_number,
        reason=submission.known_reason,
    )
    return {
        "data": {
            "image": image,
            "id": str(submission.pk),
            "created_at": submission.created_at.isoformat(),
        },
        "predictions": [
            {
                "model_version": shown.model_version.digest,
                "score": shown.confidence,
                "result": read,
            }
        ],
        "annotations": [{"result": known, "was_cancelled": False}] if known else [],
    }


def _results(*, digit: int | None, number: str, reason: str) -> list[dict[str, Any]]:
    if number:
        return [_result("number", "textarea", {"text": [number]})]
    choice = reason if digit is None else str(digit)
    return [_result("digit", "choices", {"choices": [choice]})] if choice else []


def _result(name: str, kind: str, value: dict[str, Any]) -> dict[str, Any]:
    return {"from_name": name, "to_name": "image", "type": kind, "value": value}
