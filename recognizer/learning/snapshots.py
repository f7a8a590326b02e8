"""Snapshots: frozen selections of reviewed drawings that may be used for training."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Q
from django.utils import timezone

from recognizer.learning import datasets
from recognizer.models import (
    AuditEntry,
    Rejection,
    Snapshot,
    SnapshotItem,
    Split,
    Submission,
    User,
    Visitor,
)
from recognizer.people.visitors import Consent

HOLDOUT_SHARE = 0.25  # of the drawings; a person's are never divided
MOST_OF_ONE_PERSON = 200  # drawings, the newest
TRAINABLE = (
    Q(label_digit__isnull=False)
    | ~Q(label_number="")
    | Q(rejection__in=[Rejection.SEVERAL, Rejection.NOT_A_DIGIT])
)
"""Drawings to learn from: no ambiguous, unreadable or offensive ones."""


class NothingToLearnError(ValueError):
    """There is no drawing to train on; the message says what to do."""


def make_snapshot(
    *, actor: User | None, most_of_one: int = MOST_OF_ONE_PERSON
) -> Snapshot:
    """Select reviewed drawings with consent; equal selections are one snapshot.

    Args:
        most_of_one: the most drawings of one person, so that nobody's handwriting or
            abuse outweighs all others.

    Raises:
        NothingToLearnError: there is no drawing in the training split.
    """
    freeze_people(TRAINABLE, consent="may_train")
    selection = _Selection(most_of_one)
    # The hold-out first: near duplicates of its drawings are not trained on.
    for split in (Split.HOLDOUT, Split.TRAIN):
        for person in people_of(split, consent="may_train"):
            selection.add_person(person, split)
    if not any(item.split == Split.TRAIN for item in selection.items):
        raise NothingToLearnError(
            "There is nothing to train on. Review drawings by at least two people who "
            "allow training on the Account page, then try again."
        )
    return _store(selection, actor=actor)


@transaction.atomic
def freeze_people(wanted: Q, *, consent: Consent) -> None:
    """Assign each new person, with all their drawings, permanently to one split.

    People are those with wanted drawings who have given this consent.
    A new browser of a known user gets the user's split. The others are assigned in the
    order of a hash, each to the split that lacks drawings, the first to training.
    """
    reviewed = dict(
        Submission.objects.filter(wanted, **{f"visitor__{consent}": True})
        .values_list("visitor")
        .annotate(Count("pk"))
        .order_by()
    )
    drawings: Counter[str] = Counter()
    new = []
    for visitor in Visitor.objects.filter(pk__in=reviewed):
        if visitor.split:
            drawings[visitor.split] += reviewed[visitor.pk]
        else:
            new.append(visitor)
    sides: dict[object, str] = {}
    known = Visitor.objects.exclude(split="").filter(user__isnull=False)
    for user, split in known.order_by("split").values_list("user", "split"):
        sides[user] = split  # "train" comes last and so wins
    for visitor in sorted(new, key=_shuffled):
        person = visitor.user_id or visitor.pk
        if person not in sides:
            held, trained = drawings[Split.HOLDOUT], drawings[Split.TRAIN]
            is_held = held < HOLDOUT_SHARE * (held + trained)
            sides[person] = Split.HOLDOUT if is_held else Split.TRAIN
        drawings[sides[person]] += reviewed[visitor.pk]
        Visitor.objects.filter(pk=visitor.pk, split="").update(split=sides[person])


def _shuffled(visitor: Visitor) -> bytes:
    person = str(visitor.user_id or visitor.pk)
    return hashlib.sha256(f"side of {person}".encode()).digest()


def people_of(split: Split, *, consent: Consent) -> Iterator[list[UUID]]:
    """Yield each person's visitors in a split that have this consent, as ids.

    A user may turn out to be in both splits, by signing in from two browsers that were
    assigned separately. Their drawings in the hold-out are then left out.
    """
    both = Visitor.objects.filter(split=Split.TRAIN, user__isnull=False)
    here = Visitor.objects.filter(**{consent: True}, split=split)
    if split == Split.HOLDOUT:
        here = here.exclude(user__in=both.values("user"))
    in_order = here.order_by("user", "pk").iterator(chunk_size=500)
    for _, visitors in groupby(in_order, key=lambda one: one.user_id or one.pk):
        yield [visitor.pk for visitor in visitors]


@dataclass
class _Selection:
    """The selection so far, as unsaved rows without the drawings themselves."""

    most_of_one: int
    items: list[SnapshotItem] = field(default_factory=list)
    duplicates: datasets.Duplicates = field(default_factory=datasets.Duplicates)
    people: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    pointers: Counter[str] = field(default_factory=Counter)

    def add_person(self, visitors: list[UUID], split: Split) -> None:
        """Add a person's newest drawings, without near duplicates."""
        theirs = Submission.objects.filter(TRAINABLE, visitor__in=visitors)
        theirs = theirs.with_shown_prediction().order_by("-pk")
        taken = 0
        for submission in theirs.iterator(chunk_size=200):
            for item in self._examples(submission):
                if taken == self.most_of_one:
                    self.left_out["over one person's share"] += 1
                    continue
                image = datasets.image_of(submission, place=item.place)
                if not self.duplicates.is_new(image, of=(item.kind, item.digit)):
                    self.left_out["near-identical"] += 1
                    continue
                taken += 1
                self.pointers[submission.pointer or "unknown"] += 1
                item.split = split
                self.items.append(item)
        self.people[split] += bool(taken)

    def _examples(self, submission: Submission) -> Iterator[SnapshotItem]:
        """Yield what a drawing shows: one digit or none, or each digit of a number.

        A number's ink can be told apart only in strokes, and only if it was read with
        as many digits.
        """
        of_it = {
            "submission_id": submission.pk,
            "content": datasets.content_of(submission),
        }
        if not submission.label_number:
            kind = submission.rejection or SnapshotItem.Kind.DIGIT
            yield SnapshotItem(kind=kind, digit=submission.label_digit, **of_it)
        elif (
            submission.form == Submission.Form.STROKES
            and submission.label_number.isdigit()
            and len(submission.label_number)
            == len(submission.shown_prediction.number_text)
        ):
            for place, digit in enumerate(submission.label_number, 1):
                kind = SnapshotItem.Kind.DIGIT
                yield SnapshotItem(place=place, kind=kind, digit=int(digit), **of_it)
        else:
            self.left_out["digits not told apart"] += 1

    def digest(self) -> str:
        """Return a digest of the ids, contents, labels and splits."""
        told = hashlib.sha256()
        for item in sorted(self.items, key=lambda it: (it.submission_id, it.place)):
            label = item.kind if item.digit is None else item.digit
            which = f"{item.submission_id}/{item.place}".removesuffix("/0")
            told.update(f"{which} {item.content} {label} {item.split}\n".encode())
        return told.hexdigest()

    def datasheet(self) -> dict[str, Any]:
        """Describe the selection in figures, without data about any one person."""

        def by_digit(split: str) -> dict[str, int]:
            of_split = Counter(
                item.kind if item.digit is None else str(item.digit)
                for item in self.items
                if item.split == split
            )
            return dict(sorted(of_split.items()))

        return {
            "made": timezone.now().isoformat(timespec="seconds"),
            "drawings": len(self.items),
            "training": by_digit(Split.TRAIN),
            "hold-out": by_digit(Split.HOLDOUT),
            "people": {
                "training": self.people[Split.TRAIN],
                "hold-out": self.people[Split.HOLDOUT],
            },
            "pointers": dict(sorted(self.pointers.items())),
            "left out": dict(sorted(self.left_out.items())),
            "most of one person": self.most_of_one,
        }


@transaction.atomic
def _store(selection: _Selection, *, actor: User | None) -> Snapshot:
    snapshot, is_new = Snapshot.objects.get_or_create(
        digest=selection.digest(),
        defaults={"datasheet": selection.datasheet(), "created_by": actor},
    )
    if is_new:
        for item in selection.items:
            item.snapshot = snapshot
        SnapshotItem.objects.bulk_create(selection.items, batch_size=500)
        AuditEntry.objects.create(
            actor=actor,
            action=AuditEntry.Action.SNAPSHOT,
            subject=snapshot.digest,
            after={"drawings": len(selection.items)},
        )
    return snapshot
