"""docs/security.md names a test for each line, and each of them exists."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mlcore import paths

PAGE = (paths.REPOSITORY / "docs" / "security.md").read_text()

REQUIREMENTS = paths.REPOSITORY / "requirements.txt"
LAYERS = re.findall(r"^-r requirements/(\w+)\.txt", REQUIREMENTS.read_text(), re.M)


def named_tests() -> list[str]:
    return re.findall(r"`([\w.]+\.(?:py|mjs)(?:::\w+)*)`", PAGE)


ROOMS = ("bench", "clients", "digitsite", "mlcore", "recognizer", "tools")
FILES = {
    path.name: path
    for room in ROOMS
    for path in (paths.REPOSITORY / room).rglob("*test*.*")
}


def declared_in(name: str) -> set[str]:
    """Return the tests of a file as Class::test."""
    path = FILES[name]
    if path.suffix != ".py":
        return set()
    return {
        f"{group.name}::{test.name}"
        for group in ast.parse(path.read_text()).body
        if isinstance(group, ast.ClassDef)
        for test in group.body
        if isinstance(test, ast.FunctionDef)
    }


class TestPage:
    def test_names_tests_that_exist(self) -> None:
        named = named_tests()

        for name in named:
            file, *rest = name.split("::")
            there = declared_in(file)
            assert not rest or "::".join(rest) in there, name

        assert len(named) > 45

    def test_has_a_test_in_every_line(self) -> None:
        lines = [
            line
            for line in PAGE.splitlines()
            if line.startswith("| ")
            and not line.startswith(("| threat", "| promise", "| fault"))
        ]

        assert len(lines) > 45
        for line in lines:
            assert re.search(r"`test_\w+\.py(::\w+)*` \|$", line), line


class TestAudit:
    FOUND = "echo 'Found 2 known vulnerabilities in 1 package'; exit 1"
    AWAY = "echo 'Could not connect to PyPI' >&2; exit 1"
    CLEAN = "echo 'No known vulnerabilities found'"

    @pytest.mark.parametrize(
        ("answer", "mode", "status", "says"),
        [
            (FOUND, "--where-it-answers", 1, "Found 2 known vulnerabilities"),
            (AWAY, "--where-it-answers", 0, "serve.txt was not audited: Could not"),
            (CLEAN, "--where-it-answers", 0, "No known vulnerabilities found"),
            (FOUND, "", 1, "Found 2 known vulnerabilities"),
            (AWAY, "", 1, ""),
            (CLEAN, "", 0, "No known vulnerabilities found"),
        ],
    )
    def test_fails_where_it_should(
        self, tmp_path: Path, answer: str, mode: str, status: int, says: str
    ) -> None:
        auditor = tmp_path / "python"
        auditor.write_text(f"#!/bin/sh\n{answer}\n")
        auditor.chmod(0o700)

        done = subprocess.run(
            [paths.REPOSITORY / "tools" / "audit.sh", *mode.split()],
            env={"PATH": os.environ["PATH"], "PYTHON": str(auditor)},
            capture_output=True,
            text=True,
            check=False,
        )

        assert done.returncode == status
        assert says in done.stdout

    def test_is_part_of_the_project_s_own_check(self) -> None:
        check = (paths.REPOSITORY / ".ci" / "run").read_text()

        assert "tools/audit.sh --where-it-answers" in check


class TestRequirements:
    def test_are_locked_with_hashes(self) -> None:
        for layer in LAYERS:
            text = (paths.REPOSITORY / "requirements" / f"{layer}.txt").read_text()
            pins = re.split(r"^(?=[a-z0-9])", text, flags=re.M)
            pinned = [pin for pin in pins if "==" in pin.split("\n")[0]]

            assert len(pinned) > 3
            for pin in pinned:
                assert "--hash=sha256:" in pin, pin[:60]

    @pytest.mark.long
    def test_are_all_in_the_bill_of_materials(self) -> None:
        folder = paths.REPOSITORY / "requirements"
        pinned = {
            (name, version)
            for layer in LAYERS
            for name, version in re.findall(
                r"^([\w.-]+)==(\S+)", (folder / f"{layer}.txt").read_text(), re.M
            )
        }

        written = subprocess.run(
            [sys.executable, "-m", "cyclonedx_py", "requirements", "requirements.txt"],
            cwd=paths.REPOSITORY,
            capture_output=True,
            text=True,
            check=True,
        )

        bill = json.loads(written.stdout)
        listed = {(part["name"], part["version"]) for part in bill["components"]}
        assert bill["bomFormat"] == "CycloneDX"
        assert listed == pinned
        for part in bill["components"]:
            (distribution,) = part["externalReferences"]
            assert distribution["hashes"], part["name"]
