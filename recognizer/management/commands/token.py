"""Create, list and revoke API tokens."""

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from recognizer.models import Scope, Token, User
from recognizer.people.tokens import make_token, revoke_token


class Command(BaseCommand):
    help = (
        "Create a token for a user and print it once. Or list the user's tokens, or "
        "revoke one by its prefix."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--name", default="manage.py token")
        parser.add_argument(
            "--scopes", default="read,write", help="of read,write,review"
        )
        parser.add_argument(
            "--days", type=int, help="days until it expires; default: never"
        )
        parser.add_argument("--list", action="store_true", help="list tokens instead")
        parser.add_argument(
            "--revoke", metavar="PREFIX", help="revoke this token instead"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            user = User.objects.get(username=options["username"])
        except User.DoesNotExist as error:
            raise CommandError(
                f"There is no user {options['username']!r}. Create one with "
                "manage.py createsuperuser, on the site, or in the admin."
            ) from error
        if options["list"]:
            for token in user.tokens.order_by("pk"):
                self.stdout.write(f"{token} {','.join(token.scopes)}")
        elif options["revoke"]:
            self._revoke(user, options["revoke"])
        else:
            self._make(user, options)

    def _revoke(self, user: User, prefix: str) -> None:
        try:
            token = user.tokens.get(prefix=prefix)
        except (Token.DoesNotExist, Token.MultipleObjectsReturned) as error:
            raise CommandError(
                f"{user} does not have exactly one token beginning with {prefix!r}. "
                "--list shows them."
            ) from error
        revoke_token(token=token)
        self.stdout.write(f"Revoked {token}.")

    def _make(self, user: User, options: dict[str, Any]) -> None:
        scopes = options["scopes"].split(",")
        if not set(scopes) <= set(Scope.values):
            raise CommandError(
                f"--scopes={options['scopes']}: choose from {','.join(Scope.values)}."
            )
        days = options["days"]
        if days is not None and days < 1:
            raise CommandError(f"--days={days}: must be at least 1.")
        _, text = make_token(
            user=user,
            name=options["name"],
            scopes=scopes,
            expires_at=timezone.now() + timedelta(days=days) if days else None,
        )
        self.stdout.write(text)
