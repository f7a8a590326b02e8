"""The base of most models: a public id and a creation time."""

import uuid

import uuid_utils.compat
from django.db import models


def new_id() -> uuid.UUID:
    """Make a public id: a UUIDv7, so ids sort by creation time."""
    return uuid_utils.compat.uuid7()


class BaseModel(models.Model):
    """A row with a public id and its creation time."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True
