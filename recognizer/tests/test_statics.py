"""Static files: as they are in a checkout, compressed and hashed once collected."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from recognizer.tests.checkouts import collect, make_checkout, manage

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
    checkout = make_checkout(tmp_path_factory.mktemp("checkout"))
    collect(checkout)
    return checkout


def ask(checkout: Path, path: str, *, accept: str = "gzip") -> list[str]:
    """Return status, encoding, caching and body of an answer."""
    code = (
        "from django.test import Client;"
        f"answer = Client().get({path!r}, headers={{'Accept-Encoding': {accept!r}, "
        "'Host': 'localhost'});"
        "print(answer.status_code, answer.get('Content-Encoding'), "
        "answer.get('Cache-Control'), sep='|');"
        "print(answer.getvalue().decode(errors='replace'))"
    )
    head, _, body = manage(checkout, "shell", "--no-imports", "-c", code).partition(
        "\n"
    )
    return [*head.split("|"), body]


@pytest.mark.long  # Brotli takes minutes for all files
class TestCollected:
    def test_names_carry_a_hash_and_are_kept_for_good(self, collected: Path) -> None:
        status, _, _, page = ask(collected, "/privacy/")
        (style,) = re.findall(r'href="(/static/recognizer/css/base\.\w+\.css)"', page)

        told = ask(collected, style)

        assert status == told[0] == "200"
        assert told[1] == "gzip"
        assert "immutable" in told[2]

    def test_the_reader_in_the_page_is_small_and_kept_for_good(
        self, collected: Path
    ) -> None:
        *_, page = ask(collected, "/")
        (wasm,) = re.findall(r'data-wasm="(/static/vendor/litert/\S+\.wasm)"', page)

        told = ask(collected, wasm, accept="gzip, br")

        assert told[0] == "200"
        assert told[1] == "br"
        assert "immutable" in told[2]
        packed = collected / "staticfiles" / f"{wasm.removeprefix('/static/')}.br"
        assert packed.stat().st_size < 2_500_000

    def test_modules_import_each_other_by_these_names(self, collected: Path) -> None:
        folder = collected / "staticfiles" / "recognizer"
        hashed = [one for one in folder.rglob("*.js") if one.stem.count(".") == 1]
        imported = re.compile(r"""(?:from|import) ?\(?["'](\.{1,2}/[^"']+)""")

        found = {name for one in hashed for name in imported.findall(one.read_text())}

        assert len(found) > 20
        assert not [name for name in found if not re.search(r"\.\w{12}\.js$", name)]

    def test_plain_names_are_served_too(self, collected: Path) -> None:
        assert ask(collected, "/static/recognizer/js/strokes.js")[:2] == ["200", "gzip"]
