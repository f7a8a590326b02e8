"""The pages' words: all of them are listed, and all are translated."""

import ast
import gettext
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import polib
import pytest
from django.conf import settings
from django.test import Client
from django.utils import translation

from recognizer.models import User
from recognizer.pages.messages import PHRASES, translated_phrases
from recognizer.tests.conftest import post_json

MODULES = settings.BASE_DIR / "static" / "recognizer" / "js"
CATALOG = settings.BASE_DIR / "locale" / "de" / "LC_MESSAGES" / "django.po"
PLACES = re.compile(r"%\(\w+\)s")


def catalog() -> dict[tuple[str | None, str], str]:
    return {(e.msgctxt, e.msgid): e.msgstr for e in polib.pofile(str(CATALOG))}


def said_by_templates() -> Iterator[tuple[str | None, str]]:
    translate = re.compile(
        r"""{% translate (?:"([^"]*)"|'([^']*)')(?: context (?:"([^"]*)"|'([^']*)'))?"""
    )
    block = re.compile(
        r"{% blocktranslate([^%]*)%}(.*?){% endblocktranslate %}", re.DOTALL
    )
    for path in (settings.BASE_DIR / "templates").rglob("*.html"):
        text = path.read_text()
        for double, single, context, other in translate.findall(text):
            yield context or other or None, (double or single).replace("%", "%%")
        for options, words in block.findall(text):
            assert "trimmed" in options, f"{path.name}: {words[:60]}"
            for part in words.split("{% plural %}")[:1]:
                joined = " ".join(line.strip() for line in part.strip().splitlines())
                escaped = joined.replace("%", "%%")
                yield None, re.sub(r"{{ (\w+) }}", r"%(\1)s", escaped)


def said_by_python() -> Iterator[tuple[str | None, str]]:
    for path in (settings.BASE_DIR / "recognizer").rglob("*.py"):
        if "tests" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            said = [a.value for a in node.args if isinstance(a, ast.Constant)]
            if node.func.id in ("_", "gettext", "gettext_lazy") and said:
                yield None, str(said[0])
            elif node.func.id in ("pgettext", "pgettext_lazy") and len(said) == 2:
                yield str(said[0]), str(said[1])


class TestPhrases:
    def test_are_those_of_the_modules(self) -> None:
        called = re.compile(r'translate\(\s*"((?:[^"\\]|\\.)*)"')
        said = {
            words
            for module in MODULES.glob("*.js")
            for words in called.findall(module.read_text())
        }

        assert said == set(PHRASES)

    def test_are_translated(self) -> None:
        with translation.override("de"):
            translated = translated_phrases()

        assert set(translated) == set(PHRASES)
        for phrase, words in translated.items():
            assert words != phrase
            assert sorted(PLACES.findall(words)) == sorted(PLACES.findall(phrase))

    def test_are_as_they_are_in_english(self) -> None:
        with translation.override("en"):
            assert translated_phrases() == {}


class TestCatalog:
    @pytest.mark.parametrize("source", [said_by_templates, said_by_python])
    def test_has_all_that_is_said(
        self, source: Callable[[], Iterator[tuple[str | None, str]]]
    ) -> None:
        said = set(source())

        missing = said - set(catalog())

        assert len(said) > 20
        assert not missing, "make docs, and translate"

    def test_leaves_nothing_untranslated(self) -> None:
        entries = polib.pofile(str(CATALOG))

        assert [entry.msgid for entry in entries if not entry.translated()] == []
        for entry in entries:
            places = sorted(PLACES.findall(entry.msgid))
            for words in [entry.msgstr, *entry.msgstr_plural.values()]:
                if words and not entry.msgid_plural:
                    assert sorted(PLACES.findall(words)) == places, entry.msgid

    def test_is_compiled(self) -> None:
        with Path(CATALOG).with_suffix(".mo").open("rb") as file:
            compiled = gettext.GNUTranslations(file)

        for (context, source), words in catalog().items():
            if not words:
                continue  # a plural
            found = (
                compiled.pgettext(context, source)
                if context
                else compiled.gettext(source)
            )
            assert found == words


@pytest.mark.usefixtures("active_model")
class TestPages:
    def test_speak_the_visitors_language(self, program: Client) -> None:
        page = program.get("/", headers={"Accept-Language": "de-AT,de;q=0.9"})

        assert '<html lang="de">' in page.content.decode()
        assert "Zeichne eine Ziffer" in page.content.decode()
        assert "Accept-Language" in page["Vary"]

    def test_say_which_language_they_speak(self, program: Client) -> None:
        blank = {"drawings": [{"pixels": [[0] * 28] * 28}]}
        for language, words in (
            ("de", "nichts zu erkennen"),
            ("en", "nothing to read"),
        ):
            answer = post_json(
                program, "/api/v1/readings/", blank, **{"Accept-Language": language}
            )

            assert answer["Content-Language"] == language
            assert "Accept-Language" in answer["Vary"]
            assert words in answer.json()["readings"][0]["refusal"]["message"]

    def test_keep_their_messages_while_the_api_is_called(self, client: Client) -> None:
        password = "correct horse battery"
        client.force_login(User.objects.create_user("visitor", password=password))
        wanted = {"email": "me@example.org", "password": password}
        client.post("/account/email/", wanted)

        assert client.get("/api/v1/me/").status_code == 200

        assert "address has been saved" in client.get("/account/").content.decode()

    def test_speak_english_to_those_who_speak_neither(self, program: Client) -> None:
        page = program.get("/", headers={"Accept-Language": "fi"})

        assert '<html lang="en">' in page.content.decode()

    def test_keep_to_the_language_that_was_chosen(self, program: Client) -> None:
        chosen = program.post("/language/", {"language": "de", "next": "/history/"})

        page = program.get("/history/", headers={"Accept-Language": "en"})

        assert chosen["Location"] == "/history/"
        assert '<html lang="de">' in page.content.decode()

    def test_lead_to_no_other_site(self, program: Client) -> None:
        chosen = program.post("/language/", {"language": "de", "next": "//evil.org/"})

        assert chosen["Location"] == "/"
