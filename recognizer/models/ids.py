"""Public ids."""

import uuid

import uuid_utils.compat


def new_id() -> uuid.UUID:
    """Make a public id: UUIDv7, so ids sort by the time they were made."""
    return uuid_utils.compat.uuid7()
