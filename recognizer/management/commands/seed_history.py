"""Fill a database with made-up drawings, to see how the site does with millions."""

import shutil
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from tqdm import tqdm

from recognizer.drawings.statistics import stats
from recognizer.ml.samples import DataError
from recognizer.models import Submission
from recognizer.reader.recognisers import ReaderUnavailableError
from recognizer.services import seeding


class Command(BaseCommand):
    help = "Make up a history of drawings with readings, answers and labels."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--submissions", type=int, default=10_000)
        parser.add_argument("--visitors", type=int, default=100)
        parser.add_argument(
            "--most", type=int, help="drawings of the first visitor (a fiftieth)"
        )
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--yes", action="store_true", help="do not ask")
        parser.add_argument(
            "--mix", action="store_true", help="also where drawings are kept already"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        drawings, visitors = options["submissions"], options["visitors"]
        most = drawings // 50 if options["most"] is None else options["most"]
        if min(drawings, visitors) < 1 or not 0 <= most <= drawings:
            raise CommandError(
                "--submissions and --visitors are at least 1, and --most at most "
                "the number of submissions."
            )
        plan = seeding.Plan(drawings, visitors, most, options["seed"])
        self._refuse_to_mix(is_told=options["mix"])
        self._refuse_without_room(plan)
        self.stdout.write(
            f"{drawings:,} drawings of {visitors:,} people take about "
            f"{plan.bytes_needed / 1e9:.1f} GB and "
            f"{max(1, round(plan.seconds_needed / 60))} min."
        )
        if not options["yes"] and input("Make them? [y/N] ").strip().lower() != "y":
            raise CommandError("Nothing was made.")
        try:
            with tqdm(total=drawings, unit=" drawings", smoothing=0.1) as bar:
                first = seeding.seed(plan, tell=bar.update)
        except (ReaderUnavailableError, DataError) as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            raise CommandError(
                "Stopped: what was stored until then is whole, and stays."
            ) from None
        self.stdout.write(f"Visitor {first.pk} has the most, about {most:,}.")

    def _refuse_to_mix(self, *, is_told: bool) -> None:
        newest = Submission.objects.order_by("-pk").values_list("created_at").first()
        if newest is None or is_told:
            return
        raise CommandError(
            f"This database keeps {stats().submissions:,} drawings, the "
            f"newest of {newest[0]:%Y-%m-%d %H:%M}: made-up ones would be mixed with "
            "them for good. Name another database by DIGITSITE_VAR or DATABASE_URL, "
            "or say --mix."
        )

    def _refuse_without_room(self, plan: seeding.Plan) -> None:
        if connection.vendor != "sqlite":
            return  # the server's disk cannot be seen from here
        free = shutil.disk_usage(settings.DIGITSITE_VAR).free
        if free < plan.bytes_needed * 1.2:
            raise CommandError(
                f"{plan.drawings:,} drawings need {plan.bytes_needed / 1e9:.1f} GB and "
                f"some more while they are stored; {free / 1e9:.1f} GB are free: make "
                "fewer, or name a roomier DIGITSITE_VAR."
            )
