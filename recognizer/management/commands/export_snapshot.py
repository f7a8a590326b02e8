"""Create a snapshot of reviewed drawings; optionally write it to a folder."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from recognizer.drawings.parquet import ParquetUnavailableError, require_parquet
from recognizer.learning import datasets, snapshots
from recognizer.learning.datasheet import datasheet_text


class Command(BaseCommand):
    help = (
        "Create a snapshot of the reviewed drawings that may train. With --to, also "
        "write its drawings and datasheet to a folder. Deleting a drawing on the site "
        "does not delete it there."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--most-of-one",
            type=int,
            default=snapshots.MOST_OF_ONE_PERSON,
            help="maximum number of drawings per person",
        )
        parser.add_argument("--to", type=Path, help="folder for the drawings")
        parser.add_argument(
            "--as",
            dest="form",
            choices=["training", "parquet"],
            default="training",
            help="the form of the folder: what a training reads, or a data set for "
            "Hugging Face's datasets",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["most_of_one"] < 1:
            raise CommandError(
                f"--most-of-one={options['most_of_one']}: must be at least 1."
            )
        try:
            if options["form"] == "parquet":
                require_parquet()
            snapshot = snapshots.make_snapshot(
                actor=None, most_of_one=options["most_of_one"]
            )
        except (snapshots.NothingToLearnError, ParquetUnavailableError) as error:
            raise CommandError(str(error)) from error
        sheet = snapshot.datasheet
        self.stdout.write(
            f"Snapshot {snapshot}: {sheet['drawings']} drawings, "
            f"{sum(sheet['training'].values())} for training."
        )
        if folder := options["to"]:
            write = _FORMS[options["form"]]
            written = write(snapshot, folder)
            (folder / "datasheet.md").write_text(datasheet_text(snapshot))
            self.stdout.write(
                f"Wrote {written} drawings and the datasheet to {folder}."
            )


_FORMS = {"training": datasets.write_folder, "parquet": datasets.write_parquet}
