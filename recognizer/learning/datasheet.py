"""A snapshot's datasheet for people."""

from recognizer.models import Snapshot

DATASHEET = """# Snapshot {digest}

Drawings that people made on this site and gave for training, each labelled by a
reviewer. Made {made}.

- **What a drawing is**: strokes as drawn, or the 28x28 picture of an uploaded one.
- **Who**: {trained} people on the training side, {held} held out; a person is on one
  side for good.
- **Selection**: the newest {most} of each person at most; near-identical drawings once;
  labels "ambiguous", "unreadable" and "offensive" left out. Left out: {left_out}.
- **Pointers**: {pointers}.
- **Use**: to train and judge readers of digits. Owners may delete drawings later;
  readers of this snapshot skip those.

| | training | hold-out |
| --- | --- | --- |
{rows}
"""


def datasheet_text(snapshot: Snapshot) -> str:
    """Write a snapshot's datasheet for people, in Markdown."""
    sheet = snapshot.datasheet
    labels = sorted({*sheet["training"], *sheet["hold-out"]})
    return DATASHEET.format(
        digest=snapshot.digest,
        made=sheet["made"],
        trained=sheet["people"]["training"],
        held=sheet["people"]["hold-out"],
        most=sheet["most of one person"],
        left_out=_listed(sheet["left out"]),
        pointers=_listed(sheet["pointers"]),
        rows="\n".join(
            f"| {label} | {sheet['training'].get(label, 0)} "
            f"| {sheet['hold-out'].get(label, 0)} |"
            for label in labels
        ),
    )


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{n} {name}" for name, n in counts.items()) or "none"
