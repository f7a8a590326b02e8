"""What docs/performance.md says is what was measured."""

from pathlib import Path

import pytest

from bench import report
from bench.report import PAGE, PARTS, part, write_part


class TestPage:
    @pytest.mark.parametrize("name", PARTS)
    def test_says_what_its_figures_say(self, name: str) -> None:
        page = PAGE.read_text()

        assert f"<!-- {name} -->\n{part(name)}<!-- end of {name} -->\n" in page


class TestWritePart:
    def test_replaces_what_stands_between_its_marks(self, tmp_path: Path) -> None:
        page = tmp_path / "page.md"
        page.write_text("before\n<!-- a -->\nold\n<!-- end of a -->\nafter\n")

        write_part(page, "a", "new\n")

        assert page.read_text() == (
            "before\n<!-- a -->\nnew\n<!-- end of a -->\nafter\n"
        )

    def test_refuses_a_page_without_them(self, tmp_path: Path) -> None:
        page = tmp_path / "page.md"
        page.write_text("before\n")

        with pytest.raises(ValueError, match="no marks for a"):
            write_part(page, "a", "new\n")


class TestBars:
    def test_compare_medians_of_ratios_within_a_round(self) -> None:
        def round_of(ours: float, theirs: float) -> dict[str, object]:
            def calls(speed: float) -> dict[str, object]:
                return {
                    name: {"8": {"per_second": speed}}
                    for name in ("strokes, stored", "PNG, stored")
                }

            ours_too = {"first_answer_s": 0.5, "memory_mb": 300}
            return {
                "digitsite": {"calls": calls(ours), **ours_too},
                "peer": {"calls": calls(theirs)},
            }

        rounds = [round_of(110, 100), round_of(60, 50), round_of(90, 100)]

        found = report.bars({"rounds": rounds})

        assert [value for _, value, *_ in found] == [1.1, 1.1, 0.5, 300]
        assert [met for *_, met in found] == [False, True, True, False]
