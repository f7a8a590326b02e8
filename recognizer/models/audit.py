"""Who did what, and when."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from recognizer.models.base import BaseModel


class AuditEntry(BaseModel):
    """Who changed what, when, from which state to which; never deleted.

    subject: the row's id, or a digest. Deleting a drawing replaces before and after
    with "erased".
    """

    class Action(models.TextChoices):
        LABEL = "label", _("labelled")
        UNDO = "undo", _("withdrew a label")
        SNAPSHOT = "snapshot", _("created a snapshot")
        TRAIN = "train", _("started a training")
        CANCEL = "cancel", _("cancelled a training")
        PROMOTE = "promote", _("promoted a model")
        OVERRIDE = "override", _("promoted a model without a passed gate")
        ROLL_BACK = "roll_back", _("rolled back to an earlier model")

    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, related_name="+", null=True
    )
    action = models.CharField(max_length=9, choices=Action)
    subject = models.CharField(max_length=64, db_index=True)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    reason = models.TextField(blank=True, default="")

    class Meta:
        verbose_name_plural = _("audit log")

    def __str__(self) -> str:
        return f"{self.action} {self.subject}"
