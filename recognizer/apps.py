"""The app in Django's registry."""

from typing import Any

from django.apps import AppConfig
from django.core import checks
from django.db import DatabaseError
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class RecognizerConfig(AppConfig):
    """Submissions, predictions and the models that made them."""

    name = "recognizer"
    verbose_name = _("Digit recognition")

    def ready(self) -> None:
        """Prepare each migrated database, and refuse one of the first release."""
        post_migrate.connect(prepare_database, sender=self)
        checks.register(check_release, checks.Tags.database)


def prepare_database(*, plan: list[Any] | None = None, **kwargs: Any) -> None:
    """Make the groups, and register a model that reads.

    Not after a flush, which has no plan: tests flush often and fill what they need.
    Not while migrations are missing: the tables are not those of this code.
    """
    from recognizer.learning.promotion import prepare_configured_models
    from recognizer.ops.migrated import missing_migrations
    from recognizer.people.roles import prepare_roles

    if plan is not None and not missing_migrations():
        prepare_roles()
        prepare_configured_models()


def check_release(**kwargs: Any) -> list[checks.CheckMessage]:
    """Refuse a database of the first release, whose migrations are gone."""
    from recognizer.ops.migrated import applied_migrations

    try:
        is_former = ("recognizer", "0001_first_schema") in applied_migrations()
    except DatabaseError:  # the command says so itself
        return []
    if not is_former:
        return []
    return [
        checks.Error(
            "This database was made by Digitsite 0.1, which this release cannot "
            "migrate. Start with an empty one (see DATABASE_URL and DIGITSITE_VAR), "
            "or export the drawings with the old release first."
        )
    ]
