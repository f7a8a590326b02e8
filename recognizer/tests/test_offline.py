"""What the server gives browsers to keep; the browser tests use it offline."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.test import Client

from recognizer.models import ModelVersion, User
from recognizer.pages import offline
from recognizer.tests.conftest import SEVEN, post_json

pytestmark = pytest.mark.usefixtures("active_model")


@pytest.fixture
def _collected(settings: LazySettings, tmp_path: Path) -> Iterator[None]:
    settings.STATIC_ROOT = tmp_path
    offline.kept_files.cache_clear()
    yield
    offline.kept_files.cache_clear()


def site_of(client: Client, **headers: str) -> dict[str, object]:
    script = client.get("/service-worker.js", headers=headers)
    assert script.status_code == 200
    (site,) = re.findall(r"^const SITE = (.*);$", script.content.decode(), re.MULTILINE)
    found: dict[str, object] = json.loads(site)
    return found


class TestServiceWorker:
    def test_is_for_collected_files_only(self, client: Client) -> None:
        assert client.get("/service-worker.js").status_code == 404
        assert "data-service-worker" not in client.get("/").content.decode()

    @pytest.mark.usefixtures("_collected")
    def test_names_all_that_the_page_needs(self, client: Client) -> None:
        page = client.get("/").content.decode()
        files = site_of(client)["files"]
        model = ModelVersion.objects.active().digest

        named = re.findall(r'(?:src|href|data-\w+)="(/static/[^"]+)"', page)
        needed = {name for name in named if not name.endswith((".png", "manifest"))}
        assert len(needed) >= 9
        assert isinstance(files, list)
        assert needed <= set(files)
        assert "/static/recognizer/js/reader/service.js" in files
        assert f"/reader/{model}/model.tflite" in files
        for file in files:
            answer = client.get(file)
            assert answer.status_code == 200, file
            assert answer.getvalue(), file

    @pytest.mark.usefixtures("_collected")
    def test_is_asked_for_each_time_and_changes_with_the_site(
        self, client: Client, settings: LazySettings
    ) -> None:
        answer = client.get("/service-worker.js")
        english = site_of(client)
        settings.CSRF_COOKIE_NAME = "another"  # the page has it
        changed = site_of(client)

        assert answer["Cache-Control"] == "no-cache"
        assert answer["Content-Type"] == "text/javascript"
        assert english["language"] == "en"
        assert changed["build"] != english["build"]
        german = site_of(client, accept_language="de")
        assert german["build"] != changed["build"]
        assert german["language"] == "de"


class TestKeptPage:
    def test_shows_nobody_s_name(self, client: Client) -> None:
        post_json(client, "/api/v1/submissions/", SEVEN)
        visited = client.get("/").content.decode()
        client.force_login(User.objects.create_user("ada"))

        kept = client.get("/?offline").content.decode()

        assert "data-visitor" in visited
        assert "data-visitor" not in kept

    def test_says_that_there_is_no_connection(self, client: Client) -> None:
        assert "No connection" in client.get("/offline/").content.decode()
