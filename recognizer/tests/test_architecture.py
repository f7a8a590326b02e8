"""The walls: which room may look into which."""

import ast
import json
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
            "from digitsite import wsgi; import recognizer.urls, recognizer.api.docs;"
            "import recognizer.desk.urls;"
            "sys.exit(bool({'tensorflow', 'keras', 'matplotlib'} & set(sys.modules)))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={"DJANGO_SETTINGS_MODULE": "digitsite.settings", "PATH": "/usr/bin"},
            check=False,
        )

        assert done.returncode == 0


FIRST_ANSWER = """
import io, json, sys
from wsgiref.util import setup_testing_defaults

import django
django.setup()
from django.core.management import call_command
call_command("prepare", stdout=io.StringIO())
from digitsite.wsgi import application

body = json.dumps({"strokes": [[[70, 70], [205, 66], [125, 225]]],
                   "width": 280, "height": 280}).encode()
call = {"REQUEST_METHOD": "POST", "PATH_INFO": "/api/v1/submissions/",
        "CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body), "REMOTE_ADDR": "127.0.0.1"}
setup_testing_defaults(call)
call["HTTP_HOST"] = "127.0.0.1"
statuses = []
list(application(call, lambda status, headers: statuses.append(status)))
print(json.dumps([statuses, sorted(sys.modules)]))
"""
# Each takes 5 to 100 ms of a start and some MB of each process, and is for something
# else: training, another database, a cache, the admin, the API's description, a page.
NOT_FOR_AN_ANSWER = {
    "django.db.migrations.executor",
    "django_filters",
    "drf_spectacular.generators",
    "drf_spectacular.plumbing",
    "jsonschema",
    "keras",
    "matplotlib",
    "mlcore.data",
    "numpy.random",
    "psycopg",
    "pygments",
    "recognizer.pages.accounts",
    "recognizer.admin",
    "recognizer.desk.learning",
    "recognizer.pages.history",
    "recognizer.learning.worker",
    "redis",
    "requests",
    "tensorflow",
    "tqdm",
    "urllib3",
    "yaml",
}


class TestStart:
    def test_a_first_answer_loads_nothing_that_is_for_something_else(
        self, tmp_path: Path
    ) -> None:
        # Nothing of what stands around: with DATABASE_URL another database would be
        # prepared than the one that answers.
        variables = {
            "PATH": "/usr/bin",
            "DJANGO_SETTINGS_MODULE": "digitsite.settings",
            "DIGITSITE_VAR": str(tmp_path),
        }
        prepared = [sys.executable, "manage.py", "prepare"]
        subprocess.run(prepared, cwd=ROOT, env=variables, check=True)

        done = subprocess.run(
            [sys.executable, "-c", FIRST_ANSWER],
            cwd=ROOT,
            env=variables,
            stdout=subprocess.PIPE,
            check=True,
        )

        statuses, modules = json.loads(done.stdout)
        assert statuses == ["201 Created"]
        assert not NOT_FOR_AN_ANSWER & set(modules)

    def test_the_admin_s_pages_are_judged_all_the_same(self) -> None:
        code = (
            "import django; django.setup();"
            "from django.core.checks import run_checks;"
            "from django.contrib import admin;"
            "assert not admin.site._registry; run_checks(tags=['admin']);"
            "assert admin.site._registry"
        )
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={"DJANGO_SETTINGS_MODULE": "digitsite.settings", "PATH": "/usr/bin"},
            check=True,
        )
