"""Remove a second factor that its owner has lost."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from recognizer.models import User
from recognizer.people.second_factor import remove_lost


class Command(BaseCommand):
    help = (
        "Remove the second factor and recovery codes of a user who has lost them. The "
        "audit log keeps the reason, and the user is told by mail. Make sure first "
        "that it is this user who asks."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--because", required=True, help="for the audit log")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            user = User.objects.get(username=options["username"])
        except User.DoesNotExist as error:
            raise CommandError(f"There is no user {options['username']!r}.") from error
        if not remove_lost(user=user, reason=options["because"]):
            raise CommandError(f"{user} has no second factor.")
        self.stdout.write(f"Removed the second factor of {user}.")
