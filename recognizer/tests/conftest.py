"""What the tests of the site share."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import Permission
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client
from pytest_django import DjangoDbBlocker

from mlcore import paths
from mlcore.reading.bundle import open_bundle
from recognizer.learning.promotion import prepare_models
from recognizer.models import ModelVersion, User
from recognizer.people.signing_in import note_password
from recognizer.people.tokens import make_token
from recognizer.tests.drawings import SEVEN as SEVEN
from tools.server import Server, serving

_figures: list[str] = []


def record_figure(line: str) -> None:
    """Note a measured figure for the summary at the end of the run."""
    _figures.append(line)


@pytest.fixture(autouse=True)
def figures_of_this_test(
    record_property: Callable[[str, object], None],
) -> Iterator[None]:
    """Hand a test's figures to the process that prints the summary."""
    yield
    for line in _figures:
        record_property("figure", line)
    _figures.clear()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was measured, and which drawings it was measured on."""
    figures = [
        line
        for report in terminalreporter.getreports("")
        if report.when == "teardown"
        for name, line in report.user_properties
        if name == "figure"
    ]
    if figures:
        terminalreporter.section("measured")
        for line in figures:
            terminalreporter.write_line(str(line))
        if paths.pen_folder() is None:
            terminalreporter.write_line(
                "PEN_DIR names no folder: no real pen drawings, our templates only."
            )
        if paths.pictures_folder() is None:
            terminalreporter.write_line(
                "PICTURES_DIR names no folder: no real pictures by other people."
            )


@pytest.fixture(autouse=True)
def quick_and_apart(settings: LazySettings) -> None:
    """Each test has models and counts of its own, and passwords hashed quickly.

    Static files are looked up when asked for, not by each of the thousands of clients.
    """
    settings.ACTIVE_MODEL_KEPT_S = 0
    settings.WHITENOISE_AUTOREFRESH = True
    cache.clear()
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def active_model(db: None, settings: LazySettings, tmp_path: Path) -> ModelVersion:
    """The starter, registered in the test's database."""
    settings.BUNDLE_CACHE = tmp_path / "bundles"
    return prepare_models(starter=open_bundle(settings.STARTER_BUNDLE))


@pytest.fixture
def no_model(db: None) -> None:
    """A site whose database was emptied after `migrate` had registered the starter."""
    ModelVersion.objects.all().delete()


@pytest.fixture(scope="class")
def prepared_again(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[None]:
    """Tests that commit empty the database; make again what `migrate` makes."""
    yield
    with django_db_blocker.unblock():
        call_command("migrate", verbosity=0)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The real server, shared by the tests that need one."""
    with serving(tmp_path_factory.mktemp("var")) as running:
        yield running


@pytest.fixture
def program() -> Client:
    """A program: no CSRF exemption, no headers of a browser."""
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def reviewer(db: None) -> User:
    """A user who may decide what drawings show."""
    user = User.objects.create_user("reviewer")
    user.user_permissions.add(Permission.objects.get(codename="add_label"))
    return user


def enter_desk(client: Client, user: User) -> None:
    """Sign in as staff who have just given their password to the admin."""
    client.force_login(user)
    session = client.session
    note_password(session)
    session.save()


@pytest.fixture
def admin_client(admin_user: User) -> Client:
    """A superuser's browser, past the admin's door."""
    client = Client()
    enter_desk(client, admin_user)
    return client


def bearer(user: User, *scopes: str) -> dict[str, str]:
    """Return the headers of a program with a new token of this user."""
    _, text = make_token(user=user, name="test", scopes=scopes)
    return {"Authorization": f"Bearer {text}"}


def post_json(client: Client, path: str, body: Any, **headers: str) -> Any:
    """Send JSON."""
    return client.post(path, body, content_type="application/json", headers=headers)
