"""No log has a password, a token, a cookie or an address, whatever goes wrong."""

import http.client
import json
import re
import socket
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from mlcore import paths
from recognizer.tests.conftest import SEVEN
from tools.server import Server, environment, serving

PASSWORD = "correct-horse-battery-staple"
WRONG = "a-password-mistyped"
SECRET_KEY = "the-secret-key-of-this-installation-" + "k" * 30
MAIL_PASSWORD = "mail-hunter2"
DATABASE_PASSWORD = "database-hunter3"


class Browser:
    """Keeps cookies and sends forms with their token."""

    def __init__(self, server: Server) -> None:
        self.url = server.url
        self.jar = CookieJar()
        self.opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(self.jar)
        )

    def send(self, path: str, *, to: str = "", **fields: str) -> str:
        """Open a page and send a form of its; return what follows, errors too."""
        with self.opener.open(f"{self.url}{path}") as page:
            found = re.search(
                r'csrfmiddlewaretoken" value="(\w+)"', page.read().decode()
            )
        assert found
        body = {**fields, "csrfmiddlewaretoken": found[1]}
        return self.post(to or path, urllib.parse.urlencode(body).encode())

    def post(self, path: str, body: bytes, **headers: str) -> str:
        request = urllib.request.Request(f"{self.url}{path}", body, headers)
        try:
            with self.opener.open(request) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return error.read().decode()


class TestLogs:
    def test_hold_no_secret_and_no_address(self, tmp_path: Path) -> None:
        var = tmp_path / "var"
        with serving(
            var,
            SECRET_KEY=SECRET_KEY,
            EMAIL_URL=f"smtp://me:{MAIL_PASSWORD}@127.0.0.1:1",
            DIGITSITE_THROTTLE="600/min",
        ) as server:
            browser = Browser(server)
            browser.send(
                "/account/sign-up/",
                username="ada",
                email="ada@example.org",
                password1=PASSWORD,
                password2=PASSWORD,
            )
            page = browser.send(
                "/account/",
                to="/account/tokens/",
                name="scanner",
                scopes="write",
                days="30",
                password=PASSWORD,
            )
            (token,) = re.findall(r"dgs_[\w-]{40,}", page)
            self.call(browser, token)
            self.call(browser, f"{token}x")
            another = Browser(server)
            another.send("/account/sign-in/", username="ada", password=WRONG)
            another.send("/account/sign-in/", username="ada", password=PASSWORD)
            another.send("/account/password/forgotten/", email="ada@example.org")
            self.send_nonsense(server)
            cookies = [
                str(cookie.value) for one in (browser, another) for cookie in one.jar
            ]

        log = (var / "log").read_text()
        assert "could not be sent" in log  # the mail, with its traceback
        assert "Sign-in failed (site): " in log
        assert len(cookies) >= 4
        for secret in (PASSWORD, WRONG, SECRET_KEY, MAIL_PASSWORD, token, *cookies):
            assert secret not in log
        assert "127.0.0.1" not in log.replace("http://127.0.0.1", "")
        assert "ada@example.org" not in log

    def call(self, browser: Browser, token: str) -> None:
        browser.post(
            "/api/v1/submissions/",
            json.dumps(SEVEN).encode(),
            **{"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
        )

    def send_nonsense(self, server: Server) -> None:
        """Speak what is no HTTP, and HTTP that the site must refuse."""
        address = urlsplit(server.url)
        assert address.hostname
        assert address.port
        for nonsense in (
            b"\x16\x03\x01\x02\x00\x01",
            b"GET\r\n\r\n",
            b"GET / HTTP/9\r\n\r\n",
        ):
            with socket.create_connection((address.hostname, address.port)) as line:
                line.sendall(nonsense)
                line.shutdown(socket.SHUT_WR)
                line.recv(1 << 16)
        connection = http.client.HTTPConnection(address.hostname, address.port)
        connection.request("GET", "/", headers={"Host": "evil.example"})
        connection.getresponse().read()
        connection.close()


class TestDatabasePassword:
    """Whatever is wrong with the database, its password is in no log and no answer."""

    @pytest.mark.parametrize(
        "url",
        [
            f"postgres://me:{DATABASE_PASSWORD}@127.0.0.1:1/nowhere",  # nobody there
            f"postgres://me:{DATABASE_PASSWORD}@no-such-host.invalid/nowhere",
            f"postgres://me:{DATABASE_PASSWORD}@[nonsense/nowhere",
            f"nonsense://me:{DATABASE_PASSWORD}@127.0.0.1/nowhere",
            f"postgres://me:{DATABASE_PASSWORD}@127.0.0.1:port/nowhere",
        ],
    )
    def test_is_not_told_at_a_start(self, tmp_path: Path, url: str) -> None:
        started = subprocess.run(
            [sys.executable, "manage.py", "serve"],
            cwd=paths.REPOSITORY,
            env=environment(tmp_path, {"DATABASE_URL": url}),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

        assert started.returncode
        assert started.stderr.strip()
        assert DATABASE_PASSWORD not in started.stdout + started.stderr

    def test_is_not_told_while_it_is_away(self, tmp_path: Path) -> None:
        program = [
            *(sys.executable, "-c"),
            "import django; django.setup();"
            "from django.test import Client;"
            "client = Client(raise_request_exception=False);"
            "answers = [client.get(path) for path in"
            " ('/readyz', '/model/', '/api/v1/stats/')];"
            "print([answer.status_code for answer in answers]);"
            "print([answer.content for answer in answers])",
        ]
        url = f"postgres://me:{DATABASE_PASSWORD}@127.0.0.1:1/nowhere"

        asked = subprocess.run(
            program,
            cwd=paths.REPOSITORY,
            env={
                **environment(tmp_path, {"DATABASE_URL": url}),
                "DJANGO_SETTINGS_MODULE": "digitsite.settings",
                "ALLOWED_HOSTS": "testserver",
            },
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )

        assert asked.stdout.startswith("[503, 503, 503]")
        assert "127.0.0.1" in asked.stderr  # the log says what is away
        assert DATABASE_PASSWORD not in asked.stdout + asked.stderr
