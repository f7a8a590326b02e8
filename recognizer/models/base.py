"""The base of most models: a public id and a creation time."""

import uuid
from datetime import datetime

import uuid_utils.compat
from django.db import models
from django.utils.translation import gettext_lazy as _


def new_id() -> uuid.UUID:
    """Make a public id: a UUIDv7, so ids sort by creation time."""
    return uuid_utils.compat.uuid7()


def first_id_of(moment: datetime) -> uuid.UUID:
    """Return the smallest UUIDv7 of a moment: ids sort by time."""
    return uuid.UUID(int=int(moment.timestamp() * 1000) << 80)


class BaseModel(models.Model):
    """A row with a public id and its creation time."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    created_at = models.DateTimeField(auto_now_add=True, verbose_name=_("created"))

    class Meta:
        abstract = True
