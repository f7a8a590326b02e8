"""Who did what, and when."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from recognizer.models.base import BaseModel


class AuditEntry(BaseModel):
    """Who changed what, when, from which state to which; never deleted.

    subject: the row's id, a digest, or an account's `erasure_id`. Deleting a drawing
    replaces before and after with "erased".
    """

    class Action(models.TextChoices):
        LABEL = "label", _("labelled")
        UNDO = "undo", _("withdrew a label")
        SNAPSHOT = "snapshot", _("created a snapshot")
        TRAIN = "train", _("started a training")
        CANCEL = "cancel", _("cancelled a training")
        PROMOTE = "promote", _("promoted a model")
        OVERRIDE = "override", _("promoted a model without a passed gate")
        ERASE = "erase", _("deleted")
        ROLL_BACK = "roll_back", _("rolled back to an earlier model")
        FACTOR = "factor", _("removed a lost second factor")
        FREEZE = "freeze", _("froze a benchmark")

    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        related_name="+",
        null=True,
        verbose_name=_("user"),
    )
    action = models.CharField(max_length=9, choices=Action, verbose_name=_("action"))
    subject = models.CharField(max_length=64, db_index=True, verbose_name=_("subject"))
    before = models.JSONField(default=dict, verbose_name=_("before"))
    after = models.JSONField(default=dict, verbose_name=_("after"))
    reason = models.TextField(blank=True, default="", verbose_name=_("reason"))

    class Meta:
        verbose_name = _("entry of the audit log")
        verbose_name_plural = _("audit log")

    def __str__(self) -> str:
        return f"{self.get_action_display()} {self.subject}"
