"""Freeze what was reviewed into a snapshot, and write it to a folder if told to."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from recognizer.learning import datasets, snapshots
from recognizer.learning.datasheet import datasheet_text


class Command(BaseCommand):
    help = (
        "Select reviewed drawings that may train into a snapshot. With --to, write "
        "its drawings and datasheet there as well: copies that deleting on the site "
        "does not reach."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--most-of-one",
            type=int,
            default=snapshots.MOST_OF_ONE_PERSON,
            help="drawings of one person at most",
        )
        parser.add_argument("--to", type=Path, help="folder for the drawings")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["most_of_one"] < 1:
            raise CommandError(f"--most-of-one={options['most_of_one']}: at least 1.")
        try:
            snapshot = snapshots.make_snapshot(
                actor=None, most_of_one=options["most_of_one"]
            )
        except snapshots.NothingToLearnError as error:
            raise CommandError(str(error)) from error
        sheet = snapshot.datasheet
        self.stdout.write(
            f"Snapshot {snapshot}: {sheet['drawings']} drawings, "
            f"{sum(sheet['training'].values())} to train on."
        )
        if folder := options["to"]:
            written = datasets.write_folder(snapshot, folder)
            (folder / "datasheet.md").write_text(datasheet_text(snapshot))
            self.stdout.write(f"{written} drawings and the datasheet are in {folder}.")
