"""Back up the whole site to one folder while it serves, and restore it.

    digitsite-20261124T031700Z/
        manifest.json     format, time, and the sha256 of each file
        database.sqlite3  or database.dump for PostgreSQL: rows, pictures, models
        secret_key        if the data folder has one: it signs the visitors' cookies

A folder gets its name when it is complete. A restore fills a second database, deletes
there what was deleted since the backup, and then puts it in place in one step. So the
site never serves a deleted drawing, even if a restore is interrupted.
"""

import contextlib
import hashlib
import json
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import DatabaseError, connection
from django.db.backends.postgresql.client import DatabaseClient
from django.db.migrations.loader import MigrationLoader

from digitsite.env import for_a_child
from recognizer.drawings.erasing import empty_the_log
from recognizer.models import Erasure, Submission
from recognizer.people.erasing import Erased, erase_again

FORMAT = 1
NAMES = "digitsite-*Z"
_KEY_FILE = "secret_key"
_MANIFEST = "manifest.json"


class BackupError(RuntimeError):
    """A backup cannot be made, read or restored; the message says what to do."""


@dataclass(frozen=True)
class Backup:
    """A complete backup. kind: "sqlite" or "postgresql"."""

    folder: Path
    kind: str

    @property
    def database(self) -> Path:
        """The file with the rows."""
        return self.folder / _DATABASE[self.kind]


_DATABASE = {"sqlite": "database.sqlite3", "postgresql": "database.dump"}


# --- making ---------------------------------------------------------------------------


def make_backup(parent: Path) -> Backup:
    """Write a backup into a folder of its own, while the site serves.

    Raises:
        BackupError: the database's tool is missing or failed; nothing is left behind.
    """
    made = datetime.now(UTC)
    folder = parent / f"digitsite-{made:%Y%m%dT%H%M%SZ}"
    partial = parent / f".{folder.name}.partial"
    if folder.exists():
        raise BackupError(f"{folder} already exists. Wait a second.")
    parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o700)  # it holds everybody's drawings
    try:
        kind = connection.vendor
        _COPY[kind](partial / _DATABASE[kind])
        key = settings.DIGITSITE_VAR / _KEY_FILE
        if key.exists():
            shutil.copyfile(key, partial / _KEY_FILE)
        _complete(partial, made=made.isoformat(timespec="seconds"), kind=kind)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Backup(folder, kind)


def _complete(partial: Path, *, made: str, kind: str) -> None:
    """Write the manifest of a backup's files, and let only their owner read them."""
    files = sorted(path.name for path in partial.iterdir())
    manifest = {
        "format": FORMAT,
        "made": made,
        "kind": kind,
        "files": {name: _sha256(partial / name) for name in files},
    }
    (partial / _MANIFEST).write_text(json.dumps(manifest, indent=2))
    for path in partial.iterdir():
        path.chmod(0o600)


def forget_older(parent: Path, *, keep: int) -> list[Path]:
    """Delete all but the newest `keep` backups; return the deleted ones."""
    whole = sorted(path.parent for path in parent.glob(f"{NAMES}/{_MANIFEST}"))
    older = whole[:-keep]
    for folder in older:
        shutil.rmtree(folder)
    return older


def _copy_sqlite(to: Path) -> None:
    """Copy one state of the database; neither readers nor writers wait."""
    connection.ensure_connection()
    with contextlib.closing(sqlite3.connect(to)) as copy:
        connection.connection.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, without a separate log


def _copy_postgresql(to: Path) -> None:
    _run("pg_dump", ["--format=custom", "--no-owner", f"--file={to}"])


_COPY: dict[str, Callable[[Path], None]] = {
    "sqlite": _copy_sqlite,
    "postgresql": _copy_postgresql,
}


# --- reading --------------------------------------------------------------------------


def open_backup(folder: Path) -> Backup:
    """Return a backup after checking that its files are unchanged.

    Raises:
        BackupError: it is not a backup, is damaged, or is of another kind of database.
    """
    try:
        manifest = json.loads((folder / _MANIFEST).read_text())
        kind, digests = manifest["kind"], manifest["files"]
        is_ours = manifest["format"] == FORMAT and kind in _DATABASE
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BackupError(f"{folder} is not a backup: {error}") from error
    if not is_ours:
        raise BackupError(
            f"{folder} was made by another release. Restore it with that release."
        )
    for name, digest in digests.items():
        if not (folder / name).is_file() or _sha256(folder / name) != digest:
            raise BackupError(f"{folder / name} is damaged. Use another backup.")
    if kind != connection.vendor:
        raise BackupError(
            f"{folder} is a {kind} backup, but DATABASE_URL is {connection.vendor}. "
            f"Use a {kind} database."
        )
    return Backup(folder, kind)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# --- ids of what was deleted ----------------------------------------------------------


def write_erasures(path: Path) -> int:
    """Write the ids of all that was deleted, one per line; return their number.

    A long read may have kept deleted bytes in SQLite's log: they are removed too.
    """
    empty_the_log()
    written = 0
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w") as file:
        ids = Erasure.objects.order_by("pk").values_list("pk", flat=True)
        for one in ids.iterator():
            file.write(f"{one}\n")
            written += 1
    partial.replace(path)
    return written


def read_erasures(path: Path) -> set[UUID]:
    """Read what `write_erasures` wrote; raises BackupError for any other file."""
    try:
        return {UUID(line.strip()) for line in path.read_text().splitlines()}
    except (OSError, ValueError) as error:
        raise BackupError(f"{path} is not a list of deletions: {error}") from error


@dataclass(frozen=True)
class InPlace:
    """What the database in use contains.

    has_drawings: also True if the database cannot be read. erased: the ids of what was
    deleted; None if the database is damaged or empty.
    """

    has_drawings: bool
    erased: set[UUID] | None


def in_place() -> InPlace:
    """Return what a restore would replace."""
    try:
        tables = connection.introspection.table_names()
        has_drawings = (
            Submission._meta.db_table in tables and Submission.objects.exists()
        )
        erased = (
            set(Erasure.objects.values_list("pk", flat=True))
            if Erasure._meta.db_table in tables
            else set()
        )
    except DatabaseError:
        if connection.vendor != "sqlite":
            raise
        return InPlace(has_drawings=True, erased=None)  # the file is damaged
    finally:
        connection.close()
    return InPlace(has_drawings, erased if has_drawings or erased else None)


# --- restoring ------------------------------------------------------------------------


def restore(backup: Backup, *, erased: Collection[UUID]) -> Erased:
    """Replace the site's data with a backup; return what was deleted again.

    Args:
        erased: ids of what was deleted since the backup, which lists earlier ones.

    Raises:
        BackupError: the database is in use, or newer code made the backup.
    """
    with _FILLED[backup.kind](backup):
        found = _erased_in(backup, erased, keeps_sessions=False)
    key = backup.folder / _KEY_FILE
    if key.exists():
        place = settings.DIGITSITE_VAR / _KEY_FILE
        fresh = place.with_name(f".{_KEY_FILE}.restored")
        shutil.copyfile(key, fresh)
        fresh.chmod(0o600)
        fresh.replace(place)
    return found


def erase_from_backups(parent: Path) -> list[Path]:
    """Remove what was deleted from the backups in a folder; return the changed ones.

    A backup from which nothing has to be removed stays as it is.

    Raises:
        BackupError: a backup is damaged, or newer code made it.
    """
    erased = set(Erasure.objects.values_list("pk", flat=True))
    for left in (*parent.glob(".digitsite-*.partial"), *parent.glob(".*.former")):
        shutil.rmtree(left)  # by a run that was killed
    changed = []
    for manifest in sorted(parent.glob(f"{NAMES}/{_MANIFEST}")):
        backup = open_backup(manifest.parent)
        if _erase_from(backup, erased):
            changed.append(backup.folder)
    return changed


def _erase_from(backup: Backup, erased: set[UUID]) -> bool:
    """Write a backup again without what was deleted; say whether that was needed."""
    partial = backup.folder.with_name(f".{backup.folder.name}.partial")
    former = backup.folder.with_name(f".{backup.folder.name}.former")
    partial.mkdir(mode=0o700)
    try:
        with _COPIED[backup.kind](backup, partial / backup.database.name):
            found = _erased_in(backup, erased)
        if not found.rows:
            return False
        key = backup.folder / _KEY_FILE
        if key.exists():
            shutil.copyfile(key, partial / _KEY_FILE)
        made = json.loads((backup.folder / _MANIFEST).read_text())["made"]
        _complete(partial, made=made, kind=backup.kind)
        backup.folder.rename(former)
        partial.rename(backup.folder)
        shutil.rmtree(former)
        return True
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _erased_in(
    backup: Backup, erased: Collection[UUID], *, keeps_sessions: bool = True
) -> Erased:
    """Migrate the connected copy of a backup, and delete in it what was deleted.

    Args:
        keeps_sessions: False where the copy will be served: a session that was ended
            since the backup must not work again.
    """
    loader = MigrationLoader(connection)
    unknown = loader.applied_migrations.keys() - loader.disk_migrations.keys()
    ours = [name for name in unknown if name[0] == "recognizer"]
    if ours:
        raise BackupError(
            f"{backup.folder} has {ours[0][1]}, which this code does not know. "
            "Use the release that made it, or a newer one."
        )
    call_command("migrate", verbosity=0)
    if not keeps_sessions:
        Session.objects.all().delete()
    found = erase_again(ids=erased)
    connection.close()
    return found


@contextlib.contextmanager
def _connected_to(name: str) -> Iterator[None]:
    """Connect to another database while the block runs."""
    in_use = connection.settings_dict["NAME"]
    connection.close()
    connection.settings_dict["NAME"] = name
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = in_use


@contextlib.contextmanager
def _sqlite_filled(backup: Backup) -> Iterator[None]:
    place = Path(connection.settings_dict["NAME"])
    fresh = place.with_name(f"{place.name}.restoring")
    _refuse_a_used_file(place)
    for path in _files_of(fresh):
        path.unlink(missing_ok=True)
    try:
        with _sqlite_copied(backup, fresh):
            yield
        _refuse_a_used_file(place)
        for path in _files_of(place)[1:]:  # the old logs must not be replayed
            path.unlink(missing_ok=True)
        fresh.replace(place)
    finally:
        for path in _files_of(fresh):
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def _sqlite_copied(backup: Backup, to: Path) -> Iterator[None]:
    """Connect to a copy of a backup's database, and leave it as one clean file."""
    shutil.copyfile(backup.database, to)
    to.chmod(0o600)
    with _connected_to(str(to)):
        yield
    with contextlib.closing(sqlite3.connect(to)) as connected:
        connected.execute("PRAGMA journal_mode=DELETE")
        connected.execute("VACUUM")  # removes the bytes of deleted rows


def _files_of(database: Path) -> list[Path]:
    return [database.with_name(f"{database.name}{end}") for end in ("", "-wal", "-shm")]


def _refuse_a_used_file(place: Path) -> None:
    """Refuse if a process has the file open: leaving WAL needs exclusive access."""
    if not place.exists():
        return
    try:
        with contextlib.closing(sqlite3.connect(place, timeout=1)) as connected:
            connected.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.OperationalError as error:
        raise BackupError(
            f"{place} is in use. Stop the site and its workers first."
        ) from error
    except sqlite3.DatabaseError:
        return  # the file is damaged, which may be the reason for the restore


@contextlib.contextmanager
def _postgresql_filled(backup: Backup) -> Iterator[None]:
    place = connection.settings_dict["NAME"]
    fresh, former = f"{place}_restoring", f"{place}_before"
    with _postgresql_scratch(backup, fresh):
        with _connected_to(fresh):
            yield
        with _maintenance() as execute:
            execute("DROP DATABASE IF EXISTS {}", former)
            execute("ALTER DATABASE {} RENAME TO {}", place, former)
            execute("ALTER DATABASE {} RENAME TO {}", fresh, place)
            execute("DROP DATABASE {}", former)


@contextlib.contextmanager
def _postgresql_copied(backup: Backup, to: Path) -> Iterator[None]:
    """Connect to a copy of a backup's database, and dump it into a file."""
    scratch = f"{connection.settings_dict['NAME']}_erasing"
    with _postgresql_scratch(backup, scratch), _connected_to(scratch):
        yield
        _copy_postgresql(to)


@contextlib.contextmanager
def _postgresql_scratch(backup: Backup, name: str) -> Iterator[None]:
    """Keep a database with a backup's rows while the block runs."""
    with _maintenance() as execute:
        execute("DROP DATABASE IF EXISTS {}", name)
        execute("CREATE DATABASE {}", name)
    try:
        _run(
            "pg_restore",
            ["--no-owner", "--exit-on-error", f"--dbname={name}"],
            name=str(backup.database),
        )
        yield
    finally:
        with _maintenance() as execute:
            execute("DROP DATABASE IF EXISTS {}", name)


@contextlib.contextmanager
def _maintenance() -> Iterator[Callable[..., None]]:
    """Connect to the database `postgres`: a session cannot rename its own database."""
    from psycopg import sql

    with _connected_to("postgres"), connection.cursor() as cursor:

        def execute(statement: str, *databases: str) -> None:
            names = [sql.Identifier(name) for name in databases]
            try:
                cursor.execute(sql.SQL(statement).format(*names))
            except DatabaseError as error:
                raise BackupError(
                    f"PostgreSQL refuses: {str(error).splitlines()[0]}. Stop the site "
                    "and its workers first; the user of DATABASE_URL needs CREATEDB."
                ) from error

        yield execute


_FILLED = {"sqlite": _sqlite_filled, "postgresql": _postgresql_filled}
_COPIED = {"sqlite": _sqlite_copied, "postgresql": _postgresql_copied}


def _run(program: str, options: list[str], *, name: str | None = None) -> None:
    """Run a PostgreSQL program as Django runs psql: the password is not an argument.

    Args:
        name: the last argument; the database's name by default.
    """
    psql, env = DatabaseClient.settings_to_cmd_args_env(
        {**connection.settings_dict, "NAME": name or connection.settings_dict["NAME"]},
        options,
    )
    try:
        subprocess.run([program, *psql[1:]], env=for_a_child(env or {}), check=True)
    except FileNotFoundError as error:
        raise BackupError(
            f"{program} is missing. Install your system's postgresql-client package."
        ) from error
    except subprocess.CalledProcessError as error:
        raise BackupError(
            f"{program} failed with exit code {error.returncode}."
        ) from error
