"""Imports of labelled pictures, and the people whose drawings they stored."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from recognizer.models.base import BaseModel
from recognizer.models.people import Visitor


class Import(BaseModel):
    """Labelled pictures that a reviewer previewed, and perhaps imported.

    digest: of all pictures and labels, however they are packed. counts: drawings by
    label. refused: pictures by reason; listed: the first of them, each with its reason.
    total: drawings to store. stored: how many are.
    """

    class State(models.TextChoices):
        PREVIEWED = "previewed", _("preview")
        STORING = "storing", _("incomplete")
        DONE = "done", _("imported")
        UNDONE = "undone", _("undone")

    reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, related_name="+", null=True
    )
    name = models.CharField(max_length=200)
    digest = models.CharField(max_length=64)
    counts = models.JSONField(default=dict)
    refused = models.JSONField(default=dict)
    listed = models.JSONField(default=list)
    total = models.PositiveIntegerField()
    stored = models.PositiveIntegerField(default=0)
    state = models.CharField(max_length=9, choices=State, default=State.PREVIEWED)

    class Meta:
        verbose_name = _("import")
        verbose_name_plural = _("imports")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["digest"],
                condition=Q(state__in=["storing", "done"]),
                name="same_pictures_imported_once",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ImportedFile(models.Model):
    """What was uploaded, as a ZIP, until it is imported or discarded."""

    of_import = models.OneToOneField(
        Import, models.CASCADE, primary_key=True, related_name="file"
    )
    content = models.BinaryField()

    def __str__(self) -> str:
        return f"file of {self.of_import_id}"


class ImportedPerson(models.Model):
    """The owner of an import's drawings; one for each writer that the file names."""

    visitor = models.OneToOneField(
        Visitor, models.CASCADE, primary_key=True, related_name="+"
    )
    of_import = models.ForeignKey(
        Import, models.CASCADE, related_name="people", db_index=False
    )
    writer = models.CharField(max_length=100, blank=True, default="")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["of_import", "writer"], name="one_person_per_writer"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.of_import_id} {self.writer}"
