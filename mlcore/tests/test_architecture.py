import ast
import subprocess
import sys
from pathlib import Path

import pytest

from mlcore import paths

PACKAGE = paths.REPOSITORY / "mlcore"
MODULES = sorted(
    path.relative_to(PACKAGE).as_posix()
    for path in PACKAGE.rglob("*.py")
    if "tests" not in path.parts
)
WITH_TENSORFLOW = {
    "judging/baselines.py",
    "judging/experiments.py",
    "training/fit.py",
    "training/model.py",
    "training/onnx_export.py",
    "training/train.py",
}
WITHOUT = sorted(set(MODULES) - WITH_TENSORFLOW)
MAY_IMPORT = {
    "reading": {"reading"},
    "training": {"reading", "training"},
    "judging": {"reading", "training", "judging"},
}


def imports(module: Path) -> set[str]:
    """Return the dotted names that a module imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module.name} imports relatively"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def imported_packages(module: Path) -> set[str]:
    return {name.split(".")[0] for name in imports(module)}


class TestModules:
    def test_are_all_looked_at(self) -> None:
        assert {"reading/ink.py", "paths.py", *WITH_TENSORFLOW} <= set(MODULES)

    @pytest.mark.parametrize("module", MODULES)
    def test_know_neither_django_nor_the_site(self, module: str) -> None:
        assert not imported_packages(PACKAGE / module) & {
            "django",
            "digitsite",
            "recognizer",
            "rest_framework",
        }

    @pytest.mark.parametrize("module", MODULES)
    def test_import_one_way(self, module: str) -> None:
        package = module.split("/")[0]
        used = {
            name.split(".")[1]
            for name in imports(PACKAGE / module)
            if name.startswith("mlcore.")
        }

        assert used & set(MAY_IMPORT) <= MAY_IMPORT.get(package, set())

    @pytest.mark.parametrize("module", WITHOUT)
    def test_know_tensorflow_only_for_training(self, module: str) -> None:
        assert not imported_packages(PACKAGE / module) & {"tensorflow", "keras"}
        for name in imports(PACKAGE / module):
            assert not f"{name}.".startswith(
                (
                    "mlcore.training.fit.",
                    "mlcore.training.model.",
                    "mlcore.training.train.",
                )
            )

    @pytest.mark.parametrize("module", sorted(WITH_TENSORFLOW))
    def test_of_training_do_know_it(self, module: str) -> None:
        # Else the test above would look for names that nobody uses any more.
        assert {"tensorflow", "keras"} & imported_packages(PACKAGE / module)


class TestServingProcess:
    @pytest.mark.parametrize(
        "module", ["mlcore.reading.inference", "mlcore.judging.judge"]
    )
    def test_loads_neither_tensorflow_nor_django(self, module: str) -> None:
        script = (
            f"import sys, {module}\n"
            "print(*sorted({name.split('.')[0] for name in sys.modules}))"
        )

        loaded = subprocess.run(
            [sys.executable, "-c", script],
            cwd=paths.REPOSITORY,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()

        assert "ai_edge_litert" in loaded
        assert not set(loaded) & {"tensorflow", "keras", "django"}
