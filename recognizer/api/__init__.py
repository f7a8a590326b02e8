"""The REST API.

Django REST framework looks, when it is first imported, for all that it can do more
with: PostgreSQL's fields, a client for tests, YAML, pages to browse in colours. We use
none of it, and to load it takes 100 ms of a start and 10 MB: it is told there is none.
"""

import importlib
import sys

_NOT_USED = (
    "django.contrib.postgres",
    "markdown",
    "pygments",
    "requests",
    "uritemplate",
    "yaml",
)


def _import_without(module: str, others: tuple[str, ...]) -> None:
    """Import a module to which others, unless they are there already, are missing."""
    hidden = [name for name in others if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]  # documented: not found
    try:
        importlib.import_module(module)
    finally:
        for name in hidden:
            del sys.modules[name]


_import_without("rest_framework.compat", _NOT_USED)
