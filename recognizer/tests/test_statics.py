"""Static files come compressed to those who take that, and whole to all."""

import gzip

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client, RequestFactory

from recognizer.statics import CompressingWhiteNoise, compressed

STYLE = "/static/recognizer/css/base.css"


def body_of(client: Client, path: str, encodings: str) -> tuple[bytes, dict[str, str]]:
    response = client.get(path, headers={"Accept-Encoding": encodings})
    return response.getvalue(), dict(response.items())


class TestStaticFiles:
    def test_come_gzipped_to_those_who_take_it(self, client: Client) -> None:
        packed, headers = body_of(client, STYLE, "gzip, br")

        whole = (settings.BASE_DIR / "static/recognizer/css/base.css").read_bytes()
        assert headers["Content-Encoding"] == "gzip"
        assert headers["Vary"] == "Accept-Encoding"
        assert int(headers["Content-Length"]) == len(packed)
        assert headers["Content-Type"].startswith("text/css")
        assert gzip.decompress(packed) == whole
        assert len(packed) < len(whole) / 2

    def test_come_plain_to_others(self, client: Client) -> None:
        plain, headers = body_of(client, STYLE, "identity")

        whole = (settings.BASE_DIR / "static/recognizer/css/base.css").read_bytes()
        assert plain == whole
        assert "Content-Encoding" not in headers
        assert int(headers["Content-Length"]) == len(whole)

    def test_pictures_are_left_as_they_are(self, client: Client) -> None:
        _, headers = body_of(client, "/static/recognizer/icons/icon-192.png", "gzip")

        assert "Content-Encoding" not in headers

    @pytest.mark.parametrize("content", [b"", b"x" * 5000])
    def test_are_compressed_once_for_each_content(self, content: bytes) -> None:
        first, second = (settings.DIGITSITE_VAR / f"try-{i}.css" for i in (1, 2))
        for path in (first, second):
            path.write_bytes(content)

        made = [compressed(path) for path in (first, second)]

        assert made[0] == made[1]
        assert gzip.decompress(made[0].read_bytes()) == content
        first.unlink()
        second.unlink()

    def test_are_looked_at_when_one_is_asked_for(self, rf: RequestFactory) -> None:
        served = CompressingWhiteNoise(lambda request: HttpResponse(status=204))

        passed_on = served(rf.get("/"))
        known_before = len(served.files)
        style = served(rf.head(STYLE))

        assert passed_on.status_code == 204
        assert known_before == 0
        assert style.status_code == 200
        assert style["Content-Type"].startswith("text/css")
