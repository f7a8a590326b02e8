"""The walls: which package may look into which."""

import ast
import re
import subprocess
import sys
from collections import defaultdict
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "recognizer"
WITHOUT_ARRAYS = {
    "mlcore.reading.histograms.BINS",
    "mlcore.reading.histograms.MOST_INK",
    "mlcore.reading.inference.Reading",
    "mlcore.shares.Share",
    "mlcore.shares.wilson",
}


def imported_by(path: Path) -> set[str]:
    """Return the modules a file imports, each with what is taken from it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{name.name}" for name in node.names}
    return found


def sources(package: str) -> list[Path]:
    return [
        path
        for path in (ROOT / package).rglob("*.py")
        if not {"tests", "migrations"} & set(path.parts)
    ]


def arrows() -> dict[str, set[str]]:
    """Return which packages and modules in the app's root import which."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in sources("recognizer"):
        here = path.relative_to(APP).parts[0].removesuffix(".py")
        for name in imported_by(path):
            parts = name.split(".")
            if parts[0] == "recognizer" and parts[1] != here:
                found[here].add(parts[1])
    return found


def modules(package: str) -> dict[str, set[str]]:
    """Return which modules import which, also inside of functions."""
    names = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(
            ".__init__"
        ): path
        for path in sources(package)
    }
    return {
        name: {
            known
            for taken in imported_by(path)
            for known in (taken, taken.rpartition(".")[0])
            if known in names and known != name
        }
        for name, path in names.items()
    }


class TestWalls:
    @pytest.mark.parametrize("package", ["digitsite", "mlcore", "recognizer"])
    def test_no_module_comes_back_to_itself(self, package: str) -> None:
        found = modules(package)

        assert any(found.values())
        TopologicalSorter(found).prepare()  # raises at a circle

    def test_imports_between_packages_run_one_way(self) -> None:
        found = arrows()

        order = list(TopologicalSorter(found).static_order())  # raises at a circle
        assert order.index("models") < order.index("drawings") < order.index("pages")

    def test_the_nouns_know_nothing_of_who_uses_them(self) -> None:
        found = arrows()

        for noun in (
            *("models", "people", "reader", "drawings", "learning"),
            *("importing", "webhooks"),
        ):
            assert not found[noun] & {"api", "pages", "desk", "ops"}, noun

    def test_the_api_serves_the_api_only(self) -> None:
        found = arrows()

        users = {package for package, used in found.items() if "api" in used}
        assert users <= {"ops"}  # which answers errors outside of the API's views

    def test_the_root_fits_on_one_screen(self) -> None:
        entries = {path.name for path in APP.iterdir() if path.name != "__pycache__"}

        assert len(entries) <= 22

    def test_only_tests_import_from_tests(self) -> None:
        for package in (
            "bench",
            "clients",
            "digitsite",
            "mlcore",
            "notebooks",
            "tools",
        ):
            for path in sources(package):
                used = {name for name in imported_by(path) if ".tests" in name}

                assert not used, path
        makefile = (ROOT / "Makefile").read_text()
        assert not re.findall(r"-m \S+\.tests\b", makefile)

    def test_mlcore_knows_neither_django_nor_the_site(self) -> None:
        for path in sources("mlcore"):
            roots = {name.split(".")[0] for name in imported_by(path)}

            assert not roots & {"django", "recognizer", "digitsite"}, path

    def test_only_reader_and_learning_join_rows_with_arrays(self) -> None:
        for path in sources("recognizer"):
            package = path.relative_to(APP).parts[0]
            used = {name for name in imported_by(path) if name.startswith("mlcore")}

            if package not in {"reader", "learning"}:
                assert used <= WITHOUT_ARRAYS, path

    def test_the_web_process_loads_no_tensorflow(self) -> None:
        code = (
            "import sys, django; django.setup();"
            "from digitsite import wsgi; import digitsite.urls;"
            "sys.exit(bool({'tensorflow', 'keras', 'matplotlib'} & set(sys.modules)))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={"DJANGO_SETTINGS_MODULE": "digitsite.settings", "PATH": "/usr/bin"},
            check=False,
        )

        assert done.returncode == 0
