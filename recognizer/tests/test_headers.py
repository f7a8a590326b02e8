"""What every answer tells browsers, and who may send forms: all addresses, by walk."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from django.conf import LazySettings, settings
from django.test import Client
from django.views.generic import RedirectView

from mlcore import paths
from recognizer.models import Submission, User
from recognizer.tests.addresses import NOBODYS, UNNAMED, named_addresses
from recognizer.tests.conftest import SEVEN, enter_desk, post_json, record_figure

pytestmark = pytest.mark.usefixtures("active_model")

ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": settings.PERMISSIONS_POLICY,
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains; preload",
}
PAGES_POLICY = {
    "default-src 'self'",
    "script-src 'self' 'wasm-unsafe-eval'",
    "worker-src 'self'",
    "img-src 'self' data: blob:",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
}
PICTURES_POLICY = {"default-src 'none'", "img-src data:"}
STATIC = [
    "/static/recognizer/js/draw.js",
    "/static/recognizer/icons/favicon.svg",
    "/static/admin/css/base.css",
    "/static/nowhere.js",
]


@pytest.fixture
def _in_production(settings: LazySettings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_HSTS_SECONDS = 365 * 24 * 3600
    settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    settings.SECURE_HSTS_PRELOAD = True


@pytest.fixture
def callers(admin_user: User) -> dict[str, Client]:
    """Somebody, and staff with a drawing of their own."""
    staff = Client()
    enter_desk(staff, admin_user)
    staff.post(
        "/api/v1/submissions/", SEVEN, content_type="application/json", secure=True
    )
    return {"anybody": Client(), "staff": staff}


def policy_of(header: str) -> set[str]:
    return {part.strip() for part in header.split(";")}


@pytest.mark.usefixtures("_in_production")
class TestHeaders:
    def test_are_on_every_answer(self, callers: dict[str, Client]) -> None:
        own = str(Submission.objects.get().pk)
        paths = [*named_addresses(), *UNNAMED, *STATIC]
        paths += [path.replace(NOBODYS, own) for path in paths if NOBODYS in path]
        seen: Counter[int] = Counter()

        for path in paths:
            for client in callers.values():
                answer = client.get(path, secure=True)
                seen[answer.status_code] += 1
                for name, value in ALWAYS.items():
                    assert answer.headers.get(name) == value, (path, name)
                policy = policy_of(answer.headers["Content-Security-Policy"])
                assert policy in (PAGES_POLICY, PICTURES_POLICY), path
                if not path.startswith("/static/"):
                    assert answer.headers["X-Frame-Options"] == "DENY", path
                assert "Server" not in answer.headers
                assert "X-Powered-By" not in answer.headers
                b"".join(answer)  # to its end, which closes a file

        record_figure(
            f"headers: {len(paths)} addresses by 2 callers have all of "
            f"{', '.join([*ALWAYS, 'Content-Security-Policy'])}; "
            f"statuses {dict(sorted(seen.items()))}"
        )
        assert seen[200] > 40
        assert seen[404] > 10
        assert not any(status >= 500 for status in seen)

    @pytest.mark.parametrize("path", ["/", "/api/v1/stats/", "/static/x.js"])
    def test_are_on_what_is_refused(self, path: str) -> None:
        client = Client()

        answers = [
            client.get(path),  # sent to https
            client.post(path, secure=True, headers={"Transfer-Encoding": "chunked"}),
            client.get(path, secure=True, headers={"Host": "evil.example"}),
        ]

        assert [answer.status_code for answer in answers[:2]] == [301, 411]
        for answer in answers:
            for name in ALWAYS.keys() - {"Strict-Transport-Security"}:
                assert answer.headers.get(name) == ALWAYS[name], answer.status_code
            assert "Content-Security-Policy" in answer.headers

    def test_keep_personal_pages_out_of_caches(
        self, callers: dict[str, Client]
    ) -> None:
        for path in named_addresses():
            answer = callers["staff"].get(path, secure=True)
            kept = answer.headers.get("Cache-Control", "")
            named = answer.headers.get("Vary", "")

            is_ones_own = answer.status_code == 200 and "Cookie" in named
            assert not is_ones_own or "private" in kept or "no-store" in kept, path


class TestCrossSite:
    EXEMPT = ("/api/", "/language/")  # by Sec-Fetch-Site and sessions; a preference

    def test_forms_are_refused_everywhere(self, admin_user: User) -> None:
        staff = Client(enforce_csrf_checks=True)
        enter_desk(staff, admin_user)
        refused = 0

        for path, view in named_addresses().items():
            if path.startswith(self.EXEMPT):
                continue
            answer = staff.post(path)
            # Those without a form say so, or lead to their like with a slash.
            is_plain = answer.status_code == 405 or isinstance(view, RedirectView)
            assert is_plain or answer.status_code == 403, (path, answer.status_code)
            refused += answer.status_code == 403

        assert refused > 30

    def test_calls_by_session_need_the_token(self, admin_user: User) -> None:
        staff = Client(enforce_csrf_checks=True)
        staff.force_login(admin_user)

        assert post_json(staff, "/api/v1/submissions/", SEVEN).status_code == 403
        assert not Submission.objects.exists()


class TestCookies:
    NAMES = ("sessionid", "csrftoken", "language", "visitor")

    def test_are_of_this_host_alone_under_https(self, tmp_path: Path) -> None:
        code = (
            "import django; django.setup(); from django.core.management import "
            "call_command; call_command('migrate', verbosity=0); "
            "from django.test import Client; from recognizer.models import User; "
            "from recognizer.tests.drawings import SEVEN; "
            "User.objects.create_user('ada', password='x'); b = Client(); "
            "b.post('/api/v1/submissions/', SEVEN, 'application/json', secure=True); "
            "b.get('/account/sign-in/', secure=True); b.post('/account/sign-in/', "
            "{'username': 'ada', 'password': 'x'}, secure=True); "
            "b.get('/account/', secure=True); "
            "b.post('/language/', {'language': 'de'}, secure=True); "
            'print(*(f\'{n}|{m["path"]}|{m["secure"]}|{m["domain"]}\' '
            "for n, m in sorted(b.cookies.items())))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=paths.REPOSITORY,
            env={
                "PATH": os.environ["PATH"],
                "DJANGO_SETTINGS_MODULE": "digitsite.settings",
                "DIGITSITE_VAR": str(tmp_path),
                "PRODUCTION": "1",
                "SECRET_KEY": "k7-" * 20,
                "ALLOWED_HOSTS": "testserver",
            },
            capture_output=True,
            text=True,
            check=True,
        )

        assert done.stdout.split() == [
            f"__Host-{name}|/|True|" for name in sorted(self.NAMES)
        ]

    def test_of_visitors_are_renamed_and_orphan_nobody(
        self, settings: LazySettings
    ) -> None:
        browser = Client()
        made = post_json(browser, "/api/v1/submissions/", SEVEN).json()["id"]
        settings.VISITOR_COOKIE = "__Host-visitor"

        before = browser.get("/api/v1/submissions/").json()["results"]
        page = browser.get("/")
        del browser.cookies["visitor"]
        after = browser.get("/api/v1/submissions/").json()["results"]

        assert page.cookies["visitor"]["max-age"] == 0
        assert [one["id"] for one in before] == [one["id"] for one in after] == [made]

    def test_outlive_a_change_of_the_secret_key(self, settings: LazySettings) -> None:
        browser = Client()
        made = post_json(browser, "/api/v1/submissions/", SEVEN).json()["id"]
        user = Client()
        user.force_login(User.objects.create_user("ada"))
        settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]

        settings.SECRET_KEY = "another key of the same site"

        assert browser.get(f"/api/v1/submissions/{made}/").status_code == 200
        assert user.get("/api/v1/me/").json()["username"] == "ada"


class TestSigningOut:
    def test_makes_the_browser_forget_pages_and_pictures(self) -> None:
        browser = Client()
        browser.force_login(User.objects.create_user("ada"))
        made = post_json(browser, "/api/v1/submissions/", SEVEN)["Location"]

        pictures = [browser.get(f"{made}image.{kind}") for kind in ("svg", "png")]
        left = browser.post("/account/sign-out/")

        assert ["no-store" in one["Cache-Control"] for one in pictures] == [True, True]
        assert left["Clear-Site-Data"] == '"cache"'


class TestRedirects:
    EVIL = (
        "//evil.example/",
        "https://evil.example/",
        "/\\evil.example",
        "javascript:",
    )

    @pytest.mark.parametrize("evil", EVIL)
    @pytest.mark.parametrize(
        "path", ["/account/sign-in/", "/admin/login/", "/language/"]
    )
    def test_lead_to_no_other_site(
        self, path: str, evil: str, django_user_model: type[User]
    ) -> None:
        django_user_model.objects.create_superuser("ada", password="a long secret")
        fields = {"username": "ada", "password": "a long secret", "language": "de"}

        answer = Client().post(f"{path}?next={evil}", {**fields, "next": evil})

        assert answer.status_code == 302
        assert "evil" not in answer["Location"]
        assert "javascript" not in answer["Location"]
