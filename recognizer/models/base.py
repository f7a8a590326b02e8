"""What most models share: a public id, and when the row was made."""

import uuid

import uuid_utils.compat
from django.db import models


def new_id() -> uuid.UUID:
    """Make a public id: UUIDv7, so ids sort by the time they were made."""
    return uuid_utils.compat.uuid7()


class BaseModel(models.Model):
    """A row with a public id and its time."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True
