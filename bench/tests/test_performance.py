"""What docs/ says of speed is what was measured."""

from bench.load import DRAWINGS, as_data_url, as_strokes, drawings
from bench.performance import (
    PAGE,
    SERVERS,
    bars,
    load_figures,
    load_pieces,
    page,
)
from bench.server import LEAST_ROUNDS, contenders


class TestPage:
    def test_says_what_its_figures_say(self) -> None:
        assert PAGE.read_text() == page(load_figures(), load_pieces())

    def test_is_of_a_whole_run(self) -> None:
        rounds = load_figures()["rounds"]

        assert len(rounds) >= LEAST_ROUNDS
        for figures in rounds:
            assert set(figures) == set(SERVERS)

    def test_tells_every_bar_from_its_figures(self) -> None:
        for what, value, bar, holds in bars(load_figures()):
            least_or_most, number = bar.rsplit(" ", 1)

            if least_or_most == "at least":
                assert holds == (value >= float(number)), what
            else:
                assert holds == (value <= float(number)), what


class TestContenders:
    def test_are_the_ones_of_the_page(self) -> None:
        assert {contender.name for contender in contenders()} == set(SERVERS)


class TestDrawings:
    def test_are_all_different_and_always_the_same(self) -> None:
        sent = [str(as_strokes(strokes)) for strokes in drawings()]

        assert len({*sent}) == DRAWINGS
        assert sent == [str(as_strokes(strokes)) for strokes in drawings()]

    def test_are_canvases_of_some_ten_kilobytes_as_pictures(self) -> None:
        url = as_data_url(drawings()[0])

        assert url.startswith("data:image/png;base64,")
        assert 5_000 < len(url) < 20_000
