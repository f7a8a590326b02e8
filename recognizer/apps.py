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
        """Prepare databases after `migrate`; refuse one of the first release."""
        post_migrate.connect(prepare_database, sender=self)
        checks.register(check_release, checks.Tags.database)


def prepare_database(*, plan: list[Any] | None = None, **kwargs: Any) -> None:
    """Make the groups, and register the configured models.

    It does nothing after a flush, which passes no plan: tests flush often and create
    what they need. It also does nothing while migrations are missing, because the
    tables do not match this code.
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
    except DatabaseError:  # the command itself reports it
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
