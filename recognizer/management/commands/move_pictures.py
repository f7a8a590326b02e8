"""Move stored pictures between the database and the folder of pictures."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from recognizer.drawings import picture_files
from recognizer.models import PicturesUnavailableError


class Command(BaseCommand):
    help = "Move all pictures from the database into PICTURES_FOLDER, while it serves."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--back",
            action="store_true",
            help="move them from the folder into the database",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with tqdm(unit=" pictures") as bar:
                moved = picture_files.move(
                    to_folder=not options["back"], tell=bar.update
                )
        except PicturesUnavailableError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Moved {moved:,} pictures.")
