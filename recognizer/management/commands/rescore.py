"""Read stored drawings again with any model; resume where it stopped."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from recognizer.learning import rescoring
from recognizer.learning.rescoring import Rescored, WorkersError
from recognizer.management.commands.promote import model_named
from recognizer.reader.recognisers import ReaderUnavailableError


class Command(BaseCommand):
    help = (
        "Read all stored drawings with a model version, oldest first. Resumable. "
        "Computes on the cluster that CLUSTER names, else on this machine."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "digest", help="digest of the model; a unique prefix is enough"
        )
        parser.add_argument(
            "--batch", type=int, default=200, help="drawings per transaction"
        )
        parser.add_argument("--most", type=int, help="stop after this many drawings")
        parser.add_argument(
            "--afresh", action="store_true", help="look at all drawings again"
        )
        parser.add_argument(
            "--workers",
            type=int,
            default=1,
            help="processes of this machine, without CLUSTER; SQLite takes one",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        for name in ("batch", "most", "workers"):
            if options[name] is not None and options[name] < 1:
                raise CommandError(f"--{name} must be at least 1.")
        version = model_named(options["digest"])
        with tqdm(unit=" drawings", file=self.stderr, mininterval=0.5) as bar:

            def tell(so_far: Rescored) -> None:
                bar.total = so_far.planned
                bar.update(so_far.passed - bar.n)

            try:
                done = rescoring.rescore(
                    version=version,
                    batch=options["batch"],
                    most=options["most"],
                    afresh=options["afresh"],
                    processes=options["workers"],
                    cluster=settings.CLUSTER,
                    tell=tell,
                )
            except (ReaderUnavailableError, WorkersError) as error:
                bar.leave = False
                raise CommandError(str(error)) from error
        self.stdout.write(
            f"Model {version} has read {done.read} drawings again, {done.otherwise} "
            f"differently. Of {done.reviewed} reviewed drawings it reads "
            f"{done.is_right} correctly; {done.was_right} were before."
        )
