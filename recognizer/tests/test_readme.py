"""The README's commands do what it says."""

import json
import os
import re
import shlex
import subprocess
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mlcore.paths import REPOSITORY
from tools.server import environment

README = (REPOSITORY / "README.md").read_text()
# As from a shell: a make that runs these tests passes on what it was told.
ENVIRONMENT = {key: os.environ[key] for key in os.environ if "MAKE" not in key}
ADDRESS = "http://127.0.0.1:8000"
MAKE_RUN, MAKE_TEST, CURL, INSTALL_CLIENT, READ = range(5)


def commands() -> list[str]:
    """Return the README's commands, each in one line without its comment."""
    blocks = re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    lines = "".join(blocks).replace("\\\n", "").splitlines()
    return [line.partition("  # ")[0].strip() for line in lines if line]


def run(command: str, **variables: str) -> str:
    done = subprocess.run(
        shlex.split(command),
        cwd=REPOSITORY,
        env={**ENVIRONMENT, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def started(command: str, var: Path) -> Iterator[str]:
    """Start the site by a command; give its address."""
    process = subprocess.Popen(
        command.split(),
        cwd=REPOSITORY,
        env=environment(var, {}),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        printed = ""
        while not (found := re.search(r"Digitsite is at (\S+)/", printed)):
            line = process.stdout.readline()
            assert line, f"It ended: {printed}"
            printed += line
        yield found.group(1)
    finally:
        process.terminate()
        process.communicate(timeout=60)


class TestCommands:
    def test_are_all_tested_here(self) -> None:
        assert [command.split()[0] for command in commands()] == [
            "make",
            "make",
            "curl",
            ".venv/bin/python",
            ".venv/bin/digitsite",
        ]

    def test_run_a_site_that_reads(self, tmp_path: Path) -> None:
        with started(commands()[MAKE_RUN], tmp_path / "var") as address:
            answer = run(commands()[CURL].replace(ADDRESS, address))

        assert json.loads(answer)["readings"][0]["digit"] == 7

    @pytest.mark.long
    def test_run_the_tests(self) -> None:
        # One file of them: all are running now.
        one = "recognizer/tests/test_inserts.py --no-cov --numprocesses=0"
        assert "2 passed" in run(commands()[MAKE_TEST], ARGS=one)

    @pytest.mark.long
    def test_install_a_client_that_reads(self, tmp_path: Path) -> None:
        venv.create(tmp_path / ".venv", with_pip=True)
        with started(commands()[MAKE_RUN], tmp_path / "var") as address:
            for number in (INSTALL_CLIENT, READ):
                command = commands()[number].replace(".venv", f"{tmp_path}/.venv")
                printed = run(command, DIGITSITE_URL=address)

        path, digit, _ = printed.split()
        assert (path, digit) == ("docs/images/seven.png", "7")
