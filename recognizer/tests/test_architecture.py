"""The walls: which room may look into which."""

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


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
        path for path in (ROOT / package).rglob("*.py") if "tests" not in path.parts
    ]


class TestWalls:
    def test_mlcore_knows_neither_django_nor_the_site(self) -> None:
        for path in sources("mlcore"):
            roots = {name.split(".")[0] for name in imported_by(path)}

            assert not roots & {"django", "recognizer", "digitsite"}, path

    def test_only_the_crossings_and_their_opener_use_mlcore(self) -> None:
        types = {
            "mlcore.inference.Reading",
            "mlcore.bundle.Bundle",
            "mlcore.preprocess.DigitImage",
        }
        opener = {"mlcore.bundle.BundleError", "mlcore.bundle.open_bundle"}
        for path in sources("recognizer"):
            if path.parent.name == "ml":
                continue
            used = {name for name in imported_by(path) if name.startswith("mlcore")}

            allowed = types | (opener if path.name == "prepare.py" else set())
            assert used <= allowed, path

    def test_the_web_process_loads_no_tensorflow(self) -> None:
        code = (
            "import sys, django; django.setup();"
            "from digitsite import wsgi, urls; from mlcore import inference;"
            "sys.exit(bool({'tensorflow', 'keras', 'matplotlib'} & set(sys.modules)))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={"DJANGO_SETTINGS_MODULE": "digitsite.settings", "PATH": "/usr/bin"},
            check=False,
        )

        assert done.returncode == 0
