"""List webhooks, or send the messages of the last while to one again."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from recognizer.models import Webhook
from recognizer.webhooks.managing import WebhookError, send_again
from recognizer.webhooks.outbox import KEPT_FOR

_MOST_HOURS = int(KEPT_FOR / timedelta(hours=1))


class Command(BaseCommand):
    help = (
        "Send a webhook's messages of the last hours again, under their ids. Without "
        "a webhook, list all."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("webhook", nargs="?", help="its id")
        parser.add_argument("--hours", type=int, default=24)
        parser.add_argument(
            "--failed", action="store_true", help="only those that were given up"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["webhook"] is None:
            for one in Webhook.objects.order_by("pk"):
                self.stdout.write(f"{one.pk} {one.url} {one.state}")
            return
        hours = options["hours"]
        if not 1 <= hours <= _MOST_HOURS:
            raise CommandError(f"--hours={hours}: must be from 1 to {_MOST_HOURS}.")
        try:
            webhook = Webhook.objects.get(pk=UUID(options["webhook"]))
        except (ValueError, Webhook.DoesNotExist) as error:
            raise CommandError(
                f"There is no webhook {options['webhook']!r}. manage.py replay_webhook "
                "without a webhook lists all."
            ) from error
        try:
            number = send_again(
                webhook=webhook,
                since=timedelta(hours=hours),
                only_failed=options["failed"],
            )
        except WebhookError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Sending again to {webhook.url}: {number:,} messages.")
