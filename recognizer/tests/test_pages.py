"""The pages as their addresses answer; the browser tests look at them."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from recognizer.models import Submission, Visitor
from recognizer.tests.conftest import SEVEN, enter_desk, post_json

pytestmark = pytest.mark.usefixtures("active_model")


def draw_some(client: Client, count: int) -> None:
    for _ in range(count):
        post_json(client, "/api/v1/submissions/", SEVEN)


class TestUpload:
    def test_offers_and_names_the_five_kinds_of_file(self, program: Client) -> None:
        page = program.get("/upload/").content.decode()

        assert "PNG, JPEG, WebP, GIF or BMP" in page
        for kind in ("png", "jpeg", "webp", "gif", "bmp"):
            assert f"image/{kind}" in page

    @pytest.mark.parametrize(
        ("language", "sentence"),
        [
            ("en", "This file is of type HEIC (iPhone). Use a PNG, JPEG"),
            ("de", "Diese Datei ist vom Typ HEIC (iPhone). Verwende ein Bild"),
        ],
    )
    def test_names_a_file_of_another_type(
        self, client: Client, language: str, sentence: str
    ) -> None:
        photo = SimpleUploadedFile(
            "IMG_0042.HEIC", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "image/heic"
        )

        response = client.post(
            "/upload/", {"picture": photo}, headers={"Accept-Language": language}
        )

        assert response.status_code == 400
        assert sentence in response.content.decode()


class TestHistory:
    def test_pages_lead_to_all_drawings_and_back(self, program: Client) -> None:
        draw_some(program, 30)

        first = program.get("/history/").context
        older = program.get(first["next_url"]).context
        back = program.get(older["previous_url"]).context

        assert len(first["submissions"]) + len(older["submissions"]) == 30
        assert older["next_url"] is None
        assert first["previous_url"] is None
        assert back["submissions"] == first["submissions"]

    def test_after_the_newest_shows_the_newest(self, program: Client) -> None:
        draw_some(program, 2)
        newest = Submission.objects.order_by("-pk")[0].pk

        page = program.get(f"/history/?after={newest}").context

        assert len(page["submissions"]) == 2

    def test_of_a_mangled_address_is_the_first_page(self, program: Client) -> None:
        assert program.get("/history/?before=x").status_code == 200

    @pytest.mark.parametrize("path", ["/", "/history/", "/api/v1/submissions/"])
    def test_is_kept_out_of_shared_caches(self, program: Client, path: str) -> None:
        response = program.get(path)

        assert "private" in response["Cache-Control"]
        assert "Cookie" in response["Vary"]


class TestHosts:
    @pytest.mark.parametrize("path", ["/", "/api/v1/submissions/"])
    def test_a_foreign_one_is_told_how_to_be_let_in(
        self, program: Client, path: str
    ) -> None:
        response = program.get(path, headers={"Host": "192.168.1.5"})

        assert response.status_code == 400
        assert "ALLOWED_HOSTS" in response.content.decode()


class TestIcon:
    def test_is_there_for_pages_that_name_none(self, program: Client) -> None:
        answer = program.get("/favicon.ico")

        assert answer.status_code == 302
        icon = program.get(answer["Location"])
        assert b"".join(icon).startswith(b"<svg")
        icon.close()


class TestForms:
    def test_of_other_sites_get_the_site_s_own_403(
        self, program: Client, django_user_model: Any
    ) -> None:
        response = program.post("/admin/login/", {"username": "a", "password": "b"})

        assert response.status_code == 403
        assert "Digitsite" in response.content.decode()

    def test_without_cookies_say_that_they_need_them(self) -> None:
        browser = Client(enforce_csrf_checks=True)

        answer = browser.post("/upload/", headers={"Sec-Fetch-Site": "same-origin"})

        assert answer.status_code == 403
        assert "needs cookies" in answer.content.decode()


class TestAdmin:
    @pytest.fixture
    def drawing(self, program: Client) -> str:
        draw_some(program, 1)
        return f"/admin/recognizer/submission/{Submission.objects.get().pk}"

    def test_shows_drawing_and_reading(
        self, drawing: str, admin_client: Client
    ) -> None:
        listed = admin_client.get("/admin/recognizer/submission/").content.decode()
        detail = admin_client.get(f"{drawing}/change/").content.decode()

        assert f"{drawing}/drawing.svg" in listed
        assert "7 (" in listed
        assert f"{drawing}/seen.png" in detail
        assert admin_client.get(f"{drawing}/drawing.svg").status_code == 200
        assert admin_client.get(f"{drawing}/seen.png").status_code == 200

    @pytest.mark.parametrize("name", ["drawing.svg", "seen.png"])
    def test_shows_drawings_only_to_who_may_view_them(
        self, drawing: str, name: str, client: Client, django_user_model: Any
    ) -> None:
        staff = django_user_model.objects.create_user("staff", is_staff=True)
        enter_desk(client, staff)
        before = client.get(f"{drawing}/{name}").status_code

        staff.user_permissions.add(Permission.objects.get(codename="view_submission"))

        assert before == 403
        assert client.get(f"{drawing}/{name}").status_code == 200

    def test_of_an_unknown_drawing_is_a_404(
        self, drawing: str, admin_client: Client
    ) -> None:
        nobody = Visitor.objects.get().pk
        unknown = f"/admin/recognizer/submission/{nobody}/drawing.svg"

        assert admin_client.get(unknown).status_code == 404

    @pytest.mark.parametrize("model", ["modelversion", "visitor"])
    def test_lists_models_and_visitors(
        self, drawing: str, model: str, admin_client: Client
    ) -> None:
        listed = admin_client.get(f"/admin/recognizer/{model}/")

        assert listed.status_code == 200
