"""The command line: `digitsite read`, `digitsite submit`, `digitsite export`."""

import argparse
import http.client
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from digitsite_client.client import ApiError, Digitsite, Reading


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        The exit code: 0 for success, 1 if the site refused a picture or did not answer.
        Wrong usage exits with 2.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command != "read" and not options.token:
        parser.error(
            f"{options.command} needs --token or DIGITSITE_TOKEN: without one, you "
            "could never list or delete these drawings"
        )
    try:
        site = Digitsite(options.url, token=options.token or None)
    except ValueError as error:
        parser.error(str(error))
    try:
        if options.command == "read":
            return _each(options.pictures, lambda path: _in_words(site.read(path)))
        if options.command == "submit":
            return _each(options.pictures, lambda path: _submit(site, path))
        print(site.export(options.file, options.kind))
        return 0
    except ApiError as error:
        return _fail(error.message)
    except OSError as error:
        return _fail(f"{error.filename}: {error.strerror}")
    except http.client.HTTPException as error:
        return _fail(f"The site broke off its answer: {error}.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="digitsite", description="Read, store and export handwritten digits."
    )
    parser.add_argument(
        "--url",
        default=os.environ.get("DIGITSITE_URL", "http://127.0.0.1:8000"),
        help="the site; default: the variable DIGITSITE_URL, or http://127.0.0.1:8000",
    )
    parser.add_argument(
        "--token",
        default=os.environ.get("DIGITSITE_TOKEN"),
        help="an access token; default: the variable DIGITSITE_TOKEN",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    read = commands.add_parser("read", help="print the digit in each picture")
    submit = commands.add_parser("submit", help="store pictures; print id and digit")
    for command in (read, submit):
        command.add_argument("pictures", nargs="+", type=Path, metavar="PICTURE")
    export = commands.add_parser("export", help="download all of your drawings")
    export.add_argument("file", type=Path)
    export.add_argument(
        "--as", dest="kind", choices=("ndjson", "zip", "idx"), default="ndjson"
    )
    return parser


def _each(pictures: Sequence[Path], read: Callable[[Path], str]) -> int:
    """Print a line for each picture; one that is refused does not stop the others."""
    failed = 0
    for picture in pictures:
        try:
            print(f"{picture}\t{read(picture)}")
        except ApiError as error:
            if error.status not in (400, 413):
                raise  # the next picture would fail as well
            failed = _fail(f"{picture}: {error.message}")
    return failed


def _submit(site: Digitsite, picture: Path) -> str:
    stored = site.submit(picture)
    return f"{stored.id}\t{_in_words(stored.prediction)}"


def _in_words(reading: Reading) -> str:
    if reading.digit is None:
        return f"-\t{reading.message}"
    return f"{reading.digit}\t{reading.confidence:.1%}"


def _fail(message: str) -> int:
    print(f"digitsite: {message}", file=sys.stderr)
    return 1
