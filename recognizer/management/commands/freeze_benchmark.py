"""Freeze a benchmark of drawings that may be published."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from recognizer.learning import benchmarks, snapshots
from recognizer.reader.recognisers import ReaderUnavailableError


class Command(BaseCommand):
    help = (
        "Write reviewed drawings whose owners agreed to publication, and the pen "
        "drawings of PEN_DIR that are under CC BY 4.0, as the next version into a "
        "folder of benchmarks. It cannot be taken back once it is published."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="folder of all versions")
        parser.add_argument(
            "--most-of-one",
            type=int,
            default=snapshots.MOST_OF_ONE_PERSON,
            help="maximum number of drawings per person of this site",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        most = options["most_of_one"]
        if most < 1:
            raise CommandError(f"--most-of-one={most}: must be at least 1.")
        try:
            with tqdm(unit=" drawings", file=self.stderr, mininterval=0.5) as bar:
                made, is_new = benchmarks.freeze(
                    options["folder"], most_of_one=most, seen=bar.update
                )
        except (
            *benchmarks.ERRORS,
            ReaderUnavailableError,
            OSError,
        ) as error:
            raise CommandError(str(error)) from error
        if not is_new:
            self.stdout.write(f"{made.folder} has the same drawings already.")
            return
        self.stdout.write(f"Froze {len(made.drawings)} drawings in {made.folder}.")
        for source, split, drawings, people in benchmarks.counted(made.drawings):
            self.stdout.write(
                f"{source}, {split}: {drawings} drawings by {people} people"
            )
