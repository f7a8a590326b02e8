"""Columns that hold what Python knows as lists in few bytes; see `compact`."""

import base64
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.db import models

from recognizer.models import compact

if TYPE_CHECKING:
    Field = models.Field[Any, Any]
else:
    Field = models.Field  # which knows no brackets


class PackedField(Field):
    """A list in Python, bytes in the database, base64 in a fixture."""

    pack: Callable[[Any], bytes]
    unpack: Callable[[bytes], Any]

    def get_internal_type(self) -> str:
        """Say how databases name it."""
        return "BinaryField"

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        """Unpack what a query has found."""
        return None if value is None else self.unpack(bytes(value))

    def get_db_prep_value(
        self, value: Any, connection: Any, prepared: bool = False
    ) -> Any:
        """Pack what is stored."""
        return None if value is None else connection.Database.Binary(self.pack(value))

    def to_python(self, value: Any) -> Any:
        """Unpack what a fixture has."""
        is_text = isinstance(value, str)
        return self.unpack(base64.b64decode(value)) if is_text else value

    def value_to_string(self, obj: models.Model) -> str:
        """Write a value into a fixture."""
        return base64.b64encode(self.pack(self.value_from_object(obj))).decode()


class StrokesField(PackedField):
    """The strokes of a drawing."""

    pack = staticmethod(compact.pack_strokes)
    unpack = staticmethod(compact.unpack_strokes)


class ProbabilitiesField(PackedField):
    """Ten probabilities."""

    pack = staticmethod(compact.pack_probabilities)
    unpack = staticmethod(compact.unpack_probabilities)
