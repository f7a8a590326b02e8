"""Static files: as they are in a checkout, compressed and hashed once collected."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from mlcore import paths
from tools.server import environment

STYLE = "/static/recognizer/css/base.css"


class TestCheckout:
    def test_serves_its_files_without_a_command(self, client: Client) -> None:
        answer = client.get(STYLE)

        whole = (settings.BASE_DIR / "static/recognizer/css/base.css").read_bytes()
        assert answer.getvalue() == whole
        assert answer["Content-Type"].startswith("text/css")
        assert answer["Cache-Control"] == "max-age=60, public"


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout whose static files were collected."""
    checkout = tmp_path_factory.mktemp("checkout")
    for name in ("recognizer", "mlcore", "templates", "static", "locale", "docs"):
        (checkout / name).symlink_to(paths.REPOSITORY / name)
    # Copied: by these two it is known where the checkout is.
    shutil.copy(paths.REPOSITORY / "manage.py", checkout)
    shutil.copytree(paths.REPOSITORY / "digitsite", checkout / "digitsite")
    manage(checkout, "collectstatic", "--no-input", "--verbosity", "0")
    return checkout


def manage(checkout: Path, *words: str) -> str:
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=checkout,
        env=environment(checkout / "var", {}),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout


def ask(checkout: Path, path: str) -> list[str]:
    """Return status, encoding, caching and body of an answer."""
    code = (
        "from django.test import Client;"
        f"answer = Client().get({path!r}, headers={{'Accept-Encoding': 'gzip', "
        "'Host': 'localhost'});"
        "print(answer.status_code, answer.get('Content-Encoding'), "
        "answer.get('Cache-Control'), sep='|');"
        "print(answer.getvalue().decode(errors='replace'))"
    )
    head, _, body = manage(checkout, "shell", "--no-imports", "-c", code).partition(
        "\n"
    )
    return [*head.split("|"), body]


class TestCollected:
    def test_names_carry_a_hash_and_are_kept_for_good(self, collected: Path) -> None:
        status, _, _, page = ask(collected, "/privacy/")
        (style,) = re.findall(r'href="(/static/recognizer/css/base\.\w+\.css)"', page)

        told = ask(collected, style)

        assert status == told[0] == "200"
        assert told[1] == "gzip"
        assert "immutable" in told[2]

    def test_plain_names_are_served_too(self, collected: Path) -> None:
        assert ask(collected, "/static/recognizer/js/strokes.js")[:2] == ["200", "gzip"]
