"""The drawings that measurements send."""

from bench.load import as_data_url
from bench.samples import as_body, template_samples


class TestDrawings:
    def test_are_all_different_and_always_the_same(self) -> None:
        sent = [str(as_body(one.strokes)) for one in template_samples(200, seed=9)]
        again = [str(as_body(one.strokes)) for one in template_samples(200, seed=9)]

        assert len({*sent}) == 200
        assert sent == again

    def test_are_canvases_of_some_ten_kilobytes_as_pictures(self) -> None:
        (one,) = template_samples(1, seed=9)

        url = as_data_url(one.strokes)

        assert url.startswith("data:image/png;base64,")
        assert 5_000 < len(url) < 20_000
