"""The environment: each bad value is refused by name, and nothing is undocumented."""

import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from digitsite import env
from digitsite.secret import kept_secret_key

ROOT = Path(__file__).resolve().parents[2]


HOSTS = "from django.conf import settings; print(settings.ALLOWED_HOSTS)"


def load_settings(
    tmp_path: Path, code: str = HOSTS, **variables: str
) -> "subprocess.CompletedProcess[str]":
    """Load the settings in a process of their own and print some."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "DJANGO_SETTINGS_MODULE": "digitsite.settings",
            "DIGITSITE_VAR": str(tmp_path),
            **variables,
        },
        capture_output=True,
        text=True,
        check=False,
    )


class TestHelpers:
    @pytest.fixture(autouse=True)
    def _patch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.set = partial(monkeypatch.setenv, "X")

    def test_a_flag_is_yes_or_no(self) -> None:
        assert not env.flag("X")
        self.set("1")
        assert env.flag("X")
        self.set("maybe")
        with pytest.raises(ImproperlyConfigured, match="X='maybe'"):
            env.flag("X")

    @pytest.mark.parametrize("value", ["-1", "70000", "8000.5", "http"])
    def test_an_integer_stays_in_bounds(self, value: str) -> None:
        self.set(value)
        with pytest.raises(ImproperlyConfigured, match=f"X='{value}'"):
            env.integer("X", 8000, low=0, high=65535)

    def test_a_rate_is_calls_in_a_time(self) -> None:
        assert env.rate("X", "600/min") == env.Rate(600, 60)
        self.set("5/day")
        assert env.rate("X", "600/min") == env.Rate(5, 86_400)
        self.set("off")
        assert env.rate("X", "600/min") is None

    @pytest.mark.parametrize("value", ["600", "0/min", "-1/s", "5/week", "5 / s", "x"])
    def test_a_rate_that_is_none_is_refused(self, value: str) -> None:
        self.set(value)
        with pytest.raises(ImproperlyConfigured, match="such as 600/min"):
            env.rate("X", "off")

    def test_redis_has_an_address_of_its_own_kind(self) -> None:
        self.set("redis://h:1/0")
        assert env.redis_url("X") == "redis://h:1/0"
        self.set("http://:hunter2@localhost")
        with pytest.raises(ImproperlyConfigured, match="X is not a Redis URL") as told:
            env.redis_url("X")
        assert "hunter2" not in str(told.value)

    @pytest.mark.parametrize(
        ("value", "server"),
        [
            ("", None),
            ("console", None),
            ("smtp://localhost", env.MailServer("localhost", 25, "", "", "", "")),
            (
                "smtps://me%40b.example:p%2Fw%3A%40@mail.b.example",
                env.MailServer(
                    "mail.b.example", 465, "me@b.example", "p/w:@", "tls", ""
                ),
            ),
            (
                "smtp+tls://u:p@h:2525/?from=Digits%20%3Cd%40b.example%3E",
                env.MailServer("h", 2525, "u", "p", "starttls", "Digits <d@b.example>"),
            ),
        ],
    )
    def test_mail_has_a_server_or_the_console(
        self, value: str, server: env.MailServer | None
    ) -> None:
        self.set(value)
        assert env.mail_server("X") == server

    @pytest.mark.parametrize(
        "value",
        [
            "mail.example.org",
            "http://u:secret@h",
            "smtp://",
            "smtp://u:sec/ret@h",
            "smtp://u:secret@h:70000",
            "smtp://secret@h",
            "smtp://u:secret@h/path",
            "smtp://u:secret@h?to=x",
            "smtp://u:secret@h?from",
            "smtp://[u:secret@h",
        ],
    )
    def test_mail_that_has_none_is_refused_without_telling_the_password(
        self, value: str
    ) -> None:
        self.set(value)
        with pytest.raises(
            ImproperlyConfigured, match="X is not a mail server"
        ) as told:
            env.mail_server("X")

        assert "sec" not in str(told.value)
        assert told.value.__suppress_context__ or told.value.__context__ is None

    def test_words_are_split_at_commas(self) -> None:
        self.set(" a, b ,,")
        assert env.words("X") == ["a", "b"]


class TestSecretKey:
    def test_is_made_once_and_readable_by_its_owner_only(self, tmp_path: Path) -> None:
        path = tmp_path / "new" / "secret_key"

        key = kept_secret_key(path)

        assert len(key) >= 50
        assert kept_secret_key(path) == key
        assert path.stat().st_mode & 0o077 == 0
        assert list(path.parent.iterdir()) == [path]


PUBLIC = {"SECRET_KEY": "x" * 60, "ALLOWED_HOSTS": "a.example"}


class TestProduction:
    def test_without_any_variable_serves_loopback_hosts(self, tmp_path: Path) -> None:
        done = load_settings(tmp_path)

        assert done.stdout.strip() == "['127.0.0.1', 'localhost', '[::1]']"

    @pytest.mark.parametrize(
        ("variables", "missing"),
        [
            ({"ALLOWED_HOSTS": "a.example"}, "SECRET_KEY"),
            ({"SECRET_KEY": "x" * 60}, "ALLOWED_HOSTS"),
            (
                {"SECRET_KEY": "x" * 60, "ALLOWED_HOSTS": "a.example", "DEBUG": "1"},
                "DEBUG",
            ),
            (
                {
                    "SECRET_KEY": "x" * 60,
                    "ALLOWED_HOSTS": "a.example",
                    "DATABASE_URL": "nonsense://x",
                },
                "DATABASE_URL",
            ),
            ({**PUBLIC, "SECRET_KEY": "short"}, "SECRET_KEY"),
            ({**PUBLIC, "ALLOWED_HOSTS": "a.example,*"}, "ALLOWED_HOSTS"),
            (
                {**PUBLIC, "CSRF_TRUSTED_ORIGINS": "http://a.example"},
                "CSRF_TRUSTED_ORIGINS",
            ),
            ({**PUBLIC, "EMAIL_URL": "console"}, "EMAIL_URL"),
            (
                {"ALLOWED_HOSTS": "a.example", "SECRET_KEY_FALLBACKS": "x" * 60},
                "SECRET_KEY_FALLBACKS",
            ),
        ],
    )
    def test_refuses_to_start_half_configured(
        self, tmp_path: Path, variables: dict[str, str], missing: str
    ) -> None:
        done = load_settings(tmp_path, PRODUCTION="1", **variables)

        assert done.returncode != 0
        assert missing in done.stderr.splitlines()[-1]

    def test_is_never_switched_off_by_an_empty_line(self, tmp_path: Path) -> None:
        done = load_settings(tmp_path, PRODUCTION="", **PUBLIC)

        assert done.returncode != 0
        assert "PRODUCTION is set but empty" in done.stderr.splitlines()[-1]

    def test_passes_django_s_deployment_check(self, tmp_path: Path) -> None:
        done = subprocess.run(
            [sys.executable, "manage.py", "check", "--deploy", "--fail-level=INFO"],
            cwd=ROOT,
            env={
                "PATH": os.environ["PATH"],
                "DIGITSITE_VAR": str(tmp_path),
                "PRODUCTION": "1",
                "SECRET_KEY": "".join(map(chr, range(48, 110))),
                "ALLOWED_HOSTS": "digits.example.org",
                "HSTS": "preload",
            },
            capture_output=True,
            text=True,
            check=False,
        )

        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == "System check identified no issues (0 silenced)."

    @pytest.mark.parametrize(
        ("choice", "subdomains", "preload"),
        [("", False, False), ("subdomains", True, False), ("preload", True, True)],
    )
    def test_insists_on_https_as_far_as_chosen(
        self, tmp_path: Path, choice: str, subdomains: bool, preload: bool
    ) -> None:
        code = (
            "from django.conf import settings as s; print(s.SECURE_HSTS_SECONDS, "
            "s.SECURE_HSTS_INCLUDE_SUBDOMAINS, s.SECURE_HSTS_PRELOAD)"
        )

        done = load_settings(tmp_path, code, PRODUCTION="1", HSTS=choice, **PUBLIC)

        assert done.stdout.split() == ["31536000", str(subdomains), str(preload)]

    def test_is_needed_to_insist_on_https(self, tmp_path: Path) -> None:
        done = load_settings(tmp_path, HSTS="preload")

        assert "HSTS=preload needs PRODUCTION=1" in done.stderr.splitlines()[-1]


class TestDataFolder:
    def test_made_before_is_closed_to_others(self, tmp_path: Path) -> None:
        var = tmp_path / "var"
        var.mkdir()
        var.chmod(0o755)

        done = load_settings(var, PRODUCTION="1", **PUBLIC)

        assert done.returncode == 0, done.stderr
        assert var.stat().st_mode & 0o777 == 0o700

    def test_that_is_shared_is_refused_in_production(self, tmp_path: Path) -> None:
        shared = tmp_path / "shared"
        shared.mkdir()
        shared.chmod(0o1777)

        done = load_settings(shared, PRODUCTION="1", **PUBLIC)

        assert f"other users may enter {shared}" in done.stderr.splitlines()[-1]
        assert shared.stat().st_mode & 0o7777 == 0o1777


class TestMail:
    def told(self, tmp_path: Path, **variables: str) -> list[str]:
        """Return backend, sender, host, port, TLS and STARTTLS of the settings."""
        code = (
            "from django.conf import settings as s; print(s.EMAIL_BACKEND, "
            "s.DEFAULT_FROM_EMAIL, s.EMAIL_HOST, s.EMAIL_PORT, s.EMAIL_USE_SSL, "
            "s.EMAIL_USE_TLS)"
        )
        return load_settings(tmp_path, code, **variables).stdout.split()

    def test_goes_to_the_console_unless_told(self, tmp_path: Path) -> None:
        backend, sender, *_ = self.told(tmp_path)

        assert backend == "django.core.mail.backends.console.EmailBackend"
        assert sender == "digitsite@localhost"

    def test_goes_nowhere_in_production_unless_told(self, tmp_path: Path) -> None:
        backend, *_ = self.told(tmp_path, PRODUCTION="1", **PUBLIC)

        assert backend == "django.core.mail.backends.dummy.EmailBackend"

    def test_goes_to_the_server_that_is_named(self, tmp_path: Path) -> None:
        told = self.told(
            tmp_path,
            PRODUCTION="1",
            SECRET_KEY="x" * 60,
            ALLOWED_HOSTS="digits.example.org",
            EMAIL_URL="smtp+tls://u:p@mail.example.org",
        )

        assert told == [
            "django.core.mail.backends.smtp.EmailBackend",
            "digitsite@digits.example.org",
            *("mail.example.org", "587", "False", "True"),
        ]

    def test_comes_from_who_is_said_or_from_its_user(self, tmp_path: Path) -> None:
        user = "smtps://d%40b.example:p@h"

        assert self.told(tmp_path, EMAIL_URL=user)[1] == "d@b.example"
        assert self.told(tmp_path, EMAIL_URL=f"{user}?from=e@b.example")[1:] == [
            *("e@b.example", "h", "465", "True", "False")
        ]


class TestEnvExample:
    def test_lists_exactly_what_is_read(self) -> None:
        listed = set(
            re.findall(r"^#([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.M)
        )
        read = set()
        for source in (ROOT / "digitsite/settings.py", ROOT / "mlcore/paths.py"):
            code = source.read_text()
            read |= set(re.findall(r"(?:env\.\w+|_named)\(\s*\"([A-Z_]+)\"", code))

        assert listed == read

    def test_sets_nothing_where_it_is_copied(self) -> None:
        lines = (ROOT / ".env.example").read_text().splitlines()

        assert all(not line or line.startswith("#") for line in lines)

    def test_the_environment_is_read_in_two_places_only(self) -> None:
        readers = {
            str(path.relative_to(ROOT))
            for package in ("digitsite", "recognizer", "mlcore")
            for path in (ROOT / package).rglob("*.py")
            if re.search(r"environ\b(?!\.setdefault)|getenv", path.read_text())
            and "tests" not in path.parts
        }

        assert readers == {"digitsite/env.py", "mlcore/paths.py"}
