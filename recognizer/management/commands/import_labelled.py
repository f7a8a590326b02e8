"""Import labelled pictures: IDX, Label Studio's JSON, a folder or a ZIP; or undo it."""

from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from recognizer.importing import importing
from recognizer.importing.files import ImportRefusedError, open_paths
from recognizer.importing.sources import Reason
from recognizer.models import Import, User
from recognizer.reader.recognisers import ReaderUnavailableError


class Command(BaseCommand):
    help = (
        "Import labelled pictures as drawings that a reviewer has labelled and that "
        "may train models. Resumable: run it again with the same files."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "paths",
            nargs="*",
            type=Path,
            metavar="PATH",
            help="a folder, a ZIP, a JSON file, or the two files of IDX",
        )
        parser.add_argument("--reviewer", help="user whose labels they become")
        parser.add_argument(
            "--preview", action="store_true", help="say what it would store, and stop"
        )
        parser.add_argument("--undo", metavar="ID", help="delete what an import stored")

    def handle(self, *args: Any, **options: Any) -> None:
        if bool(options["paths"]) == bool(options["undo"]):
            raise CommandError("Give either what to import, or --undo with an id.")
        reviewer = _reviewer(options["reviewer"]) if options["reviewer"] else None
        try:
            if options["undo"]:
                self._undo(options["undo"], by=reviewer)
            elif reviewer is None:
                raise CommandError("Name the user who labels them: --reviewer NAME.")
            else:
                self._import(options, reviewer=reviewer)
        except (ImportRefusedError, ReaderUnavailableError) as error:
            raise CommandError(str(error)) from error

    def _import(self, options: dict[str, Any], *, reviewer: User) -> None:
        paths: list[Path] = options["paths"]
        files = open_paths(paths)
        with self._bar("looking at pictures") as bar:
            found = importing.preview(
                files=files,
                name=", ".join(path.name or str(path) for path in paths),
                reviewer=reviewer,
                tell=bar.update,
            )
        self._say(found)
        if options["preview"]:
            return
        if found.state == Import.State.PREVIEWED:
            found.save()
        with self._bar("storing", total=found.total) as bar:
            importing.store(imported=found, files=files, tell=bar.update)
        self.stdout.write(
            f"Imported {found.total:,} drawings. To undo it: manage.py "
            f"import_labelled --undo {found.pk}"
        )

    def _say(self, found: Import) -> None:
        self.stdout.write(f"Drawings: {found.total:,}, with these labels:")
        for label, count in found.counts.items():
            self.stdout.write(f"  {label}: {count:,}")
        for reason, count in found.refused.items():
            self.stdout.write(f"Left out, {Reason(reason).label}: {count:,}")
        for name, reason in found.listed:
            self.stdout.write(f"  {name}: {Reason(reason).label}")

    def _bar(self, doing: str, total: int | None = None) -> Any:
        return tqdm(desc=doing, total=total, file=self.stderr, mininterval=0.5)

    def _undo(self, key: str, *, by: User | None) -> None:
        try:
            imported = Import.objects.get(pk=UUID(key))
        except (ValueError, Import.DoesNotExist) as error:
            raise CommandError(
                f"There is no import {key!r}. The admin lists all imports."
            ) from error
        number = importing.undo(imported=imported, by=by)
        self.stdout.write(f"Deleted {number:,} drawings of {imported.name}.")


def _reviewer(name: str) -> User:
    user = User.objects.filter(username=name, is_active=True).first()
    if user is None or not user.has_perm("recognizer.add_label"):
        raise CommandError(
            f"{name!r} is no active user who may label drawings. Add the user to the "
            "group Reviewers in the admin."
        )
    return user
