"""A snapshot's datasheet for people."""

from django.template.loader import render_to_string

from recognizer.models import Snapshot


def datasheet_text(snapshot: Snapshot) -> str:
    """Write a snapshot's datasheet for people, in Markdown."""
    sheet = snapshot.datasheet
    trained, held = sheet["training"], sheet["hold-out"]
    context = {
        "snapshot": snapshot,
        "sheet": sheet,
        "held": sheet["people"]["hold-out"],
        "most": sheet["most of one person"],
        "left_out": sheet["left out"],
        "rows": [
            (label, trained.get(label, 0), held.get(label, 0))
            for label in sorted({*trained, *held})
        ],
    }
    return render_to_string("recognizer/datasheet.md", context)
