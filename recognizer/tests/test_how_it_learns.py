"""How it learns: what the page says follows from the figures, whatever they are."""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client

from mlcore import paths
from mlcore.judging.experiments import QUESTIONS as ASKED
from recognizer.pages import experiments
from recognizer.pages.experiments import Answer, Question, experiments_in, fast_in
from recognizer.pages.how_it_learns import QUESTIONS
from recognizer.pages.plots import curves
from recognizer.tests.addresses import NOBODYS
from recognizer.tests.conftest import SEVEN, post_json

ONE = {"strokes": [[[140, 60], [140, 220]]], "width": 280, "height": 280}

BASE = {"optimizer": "adam", "learning_rate": 0.001, "batch_size": 128, "epochs": 2}
BASE |= {"activation": "relu", "dropout": 0.3, "network": "convolution"}
GERMAN = {"Accept-Language": "de"}


def answered(
    *accuracies: Sequence[float], weights: int = 12_810, loss: float = 0.05, **told: Any
) -> dict[str, Any]:
    """Return an answer as results.json holds it: the accuracies of each seed."""
    runs = [
        {
            "seed": seed,
            "weights": weights,
            "train_loss": [loss] * len(epochs),
            "loss": [loss] * len(epochs),
            "accuracy": list(epochs),
            "seconds": 60.0,
        }
        for seed, epochs in enumerate(accuracies, 1)
    ]
    return {"setting": {**BASE, **told}, "runs": runs}


def results(**questions: dict[str, Any]) -> dict[str, Any]:
    return {
        "versions": {"tensorflow": "2.21.0", "keras": "3.15.1", "numpy": "2.4.6"},
        "digits": [55_000, 5_000],
        "python": "3.11.7",
        "machine": "x86_64, 2 CPU cores, 0 GPUs",
        "finished": "2026-11-26T12:30:00+00:00",
        "base": BASE,
        "questions": questions,
    }


CLEAR = {
    "Adam": answered([0.96, 0.981], [0.965, 0.98], [0.97, 0.982]),
    "Lion": answered([0.95, 0.961], [0.95, 0.963], [0.95, 0.962], optimizer="lion"),
}
FAILING = {
    "0.001": answered([0.97, 0.98], [0.97, 0.98]),
    "0.03": answered([0.1, 0.113], [0.9, 0.98], loss=float("nan"), learning_rate=0.03),
}
FAST = {
    "machine": {"cpu": "A Processor", "cores": 2},
    "finished": "2026-11-26T11:13:02+00:00",
    "runs": {
        "example": [
            {"accuracy": 0.99, "fit_s": 140.0, "all_s": 150.0},
            {"accuracy": 0.992, "fit_s": 142.0, "all_s": 160.0},
        ],
        "fast": [
            {"accuracy": 0.995, "fit_s": 20.0, "all_s": 25.0},
            {"accuracy": 0.995, "fit_s": 21.0, "all_s": 20.0},
        ],
    },
}

Write = Callable[..., None]


@pytest.fixture
def write(settings: LazySettings, tmp_path: Path) -> Write:
    """Let the page show results of a test's own; without any it has none."""
    settings.EXPERIMENTS = tmp_path / "results.json"
    settings.FAST_TRAINING = tmp_path / "fast.json"

    def written(fast: Any = None, **questions: Any) -> None:
        settings.EXPERIMENTS.write_text(json.dumps(results(**questions)))
        if fast:
            settings.FAST_TRAINING.write_text(json.dumps(fast))

    return written


def page_of(client: Client, **headers: str) -> str:
    """Return the page's text with plain blanks."""
    answer = client.get("/how-it-learns/", headers=headers)
    assert answer.status_code == 200
    return answer.content.decode().replace("\u00a0", " ")


def came_of_it(page: str) -> str:
    found = re.search(r'<div class="conclusion stack">(.*?)</div>', page, re.DOTALL)
    assert found
    return " ".join(re.findall(r"<p>(.*?)</p>", found[1]))


def question(**answers: list[float]) -> Question:
    """Ask a question that was answered with these accuracies, one epoch each."""
    return Question(
        "optimizer",
        [
            Answer(name, [[last] for last in lasts], 0.05, 1_000, is_base=False)
            for name, lasts in answers.items()
        ],
    )


class TestQuestion:
    def test_has_a_lead_where_it_is_greater_than_the_spread(self) -> None:
        asked = question(a=[0.97, 0.971], b=[0.98, 0.981], c=[0.96, 0.97])

        assert [one.name for one in asked.ranked] == ["b", "a", "c"]
        assert asked.as_good == []
        assert asked.lead == pytest.approx(0.01)
        assert asked.spread == pytest.approx(0.0007, abs=1e-5)

    def test_holds_a_lead_against_the_spread_of_both(self) -> None:
        asked = question(a=[0.96, 0.99], b=[0.98, 0.981], c=[0.979, 0.979])

        assert [one.name for one in asked.as_good] == ["a"]
        assert asked.spread == pytest.approx(0.0212, abs=1e-4)

    def test_takes_no_equal_for_a_lead(self) -> None:
        asked = question(a=[0.98, 0.98], b=[0.98, 0.98])

        assert [one.name for one in asked.as_good] == ["b"]

    def test_passes_over_what_did_not_always_learn(self) -> None:
        asked = question(a=[0.99, 0.1], b=[0.95, 0.95], c=[0.1, 0.1])

        assert [one.name for one in asked.ranked] == ["b"]
        assert [(one.name, one.failed) for one in asked.failed] == [("a", 1), ("c", 2)]

    def test_ranks_nothing_where_nothing_learnt(self) -> None:
        assert question(a=[0.1], b=[0.2]).ranked == []


class TestPage:
    def test_says_that_nothing_was_run_yet(self, program: Client, write: Write) -> None:
        page = page_of(program)

        assert "The experiments have not been run yet" in page
        assert "came-of-it" not in page
        assert "mnist_convnet" not in page
        assert "How fast can training be?" not in page

    @pytest.mark.parametrize("content", ["", "[]", '{"digits": [1, 2]}', "{"])
    def test_goes_without_results_that_cannot_be_read(
        self, program: Client, write: Write, settings: LazySettings, content: str
    ) -> None:
        settings.EXPERIMENTS.write_text(content)
        settings.FAST_TRAINING.write_text(content)

        assert "The experiments have not been run yet" in page_of(program)

    def test_quotes_mean_and_spread(self, program: Client, write: Write) -> None:
        write(optimizer=CLEAR)

        page = page_of(program)

        assert "98.10 % <small>± 0.10</small>" in page
        assert "<small>baseline</small>" in page
        assert "55,000 MNIST training images, unmodified, with 3 seeds" in page
        assert "Each network has 12,810 weights." in page
        assert came_of_it(page) == (
            "Best: Adam, with an accuracy of 98.10 %. Its lead of 1.90 points over "
            "Lion is larger than the spread over the seeds (0.10 points)."
        )

    def test_calls_nothing_a_lead_that_may_be_chance(
        self, program: Client, write: Write
    ) -> None:
        near = answered([0.95, 0.978], [0.95, 0.984], [0.95, 0.979])
        write(optimizer={**CLEAR, "AdamW": near})

        assert came_of_it(page_of(program)) == (
            "Best: Adam, with an accuracy of 98.10 %. No clear difference from AdamW: "
            "the gap is within the spread over the seeds (up to 0.32 points)."
        )

    def test_says_what_did_not_learn(self, program: Client, write: Write) -> None:
        write(learning_rate=FAILING)

        page = page_of(program)

        assert came_of_it(page) == (
            "Only 0.001 learnt in every run, with an accuracy of 98.00 %. "
            "0.03 did not learn in 1 of 2 runs: its mean accuracy is 54.65 %, "
            "and guessing gets 10 %."
        )
        assert "nan" not in page.lower()

    def test_knows_nothing_of_chance_by_one_seed(
        self, program: Client, write: Write
    ) -> None:
        write(activation={"relu": answered([0.98]), "tanh": answered([0.97])})

        assert "trained only once" in came_of_it(page_of(program))

    def test_says_so_where_nothing_learnt(self, program: Client, write: Write) -> None:
        write(activation={"relu": answered([0.1]), "tanh": answered([0.12])})

        assert came_of_it(page_of(program)).startswith("No option learnt in all")

    def test_names_the_weights_where_they_differ(
        self, program: Client, write: Write
    ) -> None:
        layers = {
            "one dense layer": answered([0.92], weights=7_850, network="linear"),
            "convolutions with pooling": answered([0.98]),
        }
        write(layers=layers)

        page = page_of(program)

        assert "<td>7,850</td>" in page
        assert "Each network has" not in page

    def test_tells_the_fast_recipe_beside_the_example(
        self, program: Client, write: Write
    ) -> None:
        write(FAST, optimizer=CLEAR)

        page = page_of(program)

        assert "took 7.0 times as long (median over 2 seeds each)" in page
        assert "<td>155.0 s</td><td>141.0 s</td><td>99.10 %" in page

    def test_tells_the_shipped_network_and_its_recipe(
        self, program: Client, write: Write
    ) -> None:
        manifest = json.loads((paths.STARTER_BUNDLE / "manifest.json").read_text())
        recipe = manifest["provenance"]["config"]

        page = page_of(program)

        assert '<td class="nowrap">12 × 12 × 32</td>' in page
        assert f"rises to {recipe['learning_rate']}, then" in page
        assert f"<td>{recipe['epochs']}</td>" in page

    def test_goes_without_a_network_that_cannot_be_told(
        self, program: Client, write: Write, settings: LazySettings, tmp_path: Path
    ) -> None:
        settings.STARTER_BUNDLE = tmp_path

        assert "Shipped model" not in page_of(program)

    def test_shows_a_digit_as_numbers_and_as_dots_and_zeros(
        self, program: Client, write: Write
    ) -> None:
        page = page_of(program)

        dots = re.search(r'<pre class="digit-dots"[^>]*>(.*?)</pre>', page, re.DOTALL)
        numbers = re.search(r'<pre class="digit-numbers">(.*?)</pre>', page, re.DOTALL)
        assert dots
        assert numbers
        rows = [line.split() for line in dots[1].splitlines()]
        levels = [[int(n) for n in line.split()] for line in numbers[1].splitlines()]
        assert {len(row) for row in rows} == {len(row) for row in levels} == {28}
        assert len(rows) == len(levels) == 28
        assert {mark for row in rows for mark in row} == {".", "0"}
        for row, numbered in zip(rows, levels, strict=True):
            assert [mark == "0" for mark in row] == [n >= 85 for n in numbered]
        assert "<td><code>00 00 ea 60</code></td><td>60,000 images</td>" in page

    def test_shows_what_layers_make_of_the_caller_s_drawing(
        self, client: Client, active_model: None, write: Write
    ) -> None:
        tiles = re.compile(r'<img class="pixels" src="([^"]+)" width="(\d+)"')
        template = page_of(client)
        kept = [
            post_json(client, "/api/v1/submissions/", one).json()["id"]
            for one in (SEVEN, ONE)
        ]

        latest = page_of(client)
        former = client.get(f"/how-it-learns/?drawing={kept[0]}").content.decode()

        assert "This is our template." in template
        assert "a drawing of yours" in latest
        assert [size for _, size in tiles.findall(latest)] == [
            *("28", "28"),
            *(str(n) for n in (8 * 13 - 1, 8 * 11 - 1, 12 * 5 - 1, 16 * 5 - 1)),
            str(16 * 5 - 1),
        ]
        pages = (template, latest, former)
        assert len({tiles.findall(page)[0] for page in pages}) == 3
        largest = [re.findall(r"<td data-largest>([^<]+)", page) for page in pages]
        assert all(len(one) == 1 for one in largest)
        assert f"/history/{kept[1]}/" in latest
        assert f"/history/{kept[0]}/" in former

    @pytest.mark.parametrize("named", [NOBODYS, "nothing"])
    def test_shows_no_drawing_of_others(
        self, client: Client, active_model: None, named: str
    ) -> None:
        post_json(Client(), "/api/v1/submissions/", SEVEN)

        assert client.get(f"/how-it-learns/?drawing={named}").status_code == 404

    def test_writes_plots_as_svg_does_in_every_language(
        self, program: Client, write: Write
    ) -> None:
        write(optimizer=CLEAR, learning_rate=FAILING)

        page = page_of(program, **GERMAN)

        assert "98,10 %" in page
        assert "0,001" in page
        assert "Am besten: Adam" in page
        for attribute in (' x="', ' y="', ' d="', 'viewBox="'):
            for written in page.split(attribute)[1:]:
                assert "," not in written.split('"')[0]

    def test_is_light_and_styled_by_the_style_sheet_alone(
        self, program: Client, write: Write
    ) -> None:
        epochs = [0.96, 0.97, *[0.98] * 18]
        many = {name: answered(*[epochs] * 3) for name in ASKED["epochs"]}
        write(**dict.fromkeys(ASKED, many))

        page = page_of(program)

        assert len(page.encode()) < 150_000
        assert "style=" not in page
        assert "<script" not in page

    def test_is_asked_for_anew_by_everyone(self, program: Client) -> None:
        answer = program.get("/how-it-learns/")

        assert answer["Cache-Control"] == "private, no-cache"
        assert "Cookie" in answer["Vary"]

    def test_is_linked_from_every_page_and_the_model_s(
        self, program: Client, db: None
    ) -> None:
        link = 'href="/how-it-learns/"'

        assert link in program.get("/").content.decode()
        assert program.get("/model/").content.decode().count(link) == 2


class TestNames:
    def test_of_the_experiments_are_all_known(self) -> None:
        answers = {name for asked in ASKED.values() for name in asked}

        assert QUESTIONS.keys() == ASKED.keys()
        # One word is its name in the trade, or a number.
        assert {name for name in answers if " " in name} <= experiments.NAMES.keys()

    def test_of_results_that_came_with_the_code_are_all_shown(
        self, settings: LazySettings
    ) -> None:
        for path in (settings.EXPERIMENTS, settings.FAST_TRAINING):
            assert path.is_relative_to(paths.REPOSITORY)
            reader = experiments_in if path == settings.EXPERIMENTS else fast_in
            assert (reader(path) is not None) == path.exists()


class TestCurves:
    def test_place_errors_on_a_scale_that_doubles_with_equal_steps(self) -> None:
        plot = curves([[(0.01, 0.02, 0.04), (0.01, 0.01, 0.01)]], least=0.0001)

        assert [value for value, _ in plot["errors"]] == [0.01, 0.02, 0.03, 0.05]
        (curve,) = plot["curves"]
        points = [
            tuple(map(float, point.split())) for point in curve["band"][1:].split("L")
        ]
        (greatest, _, _, least) = (y for _, y in points)
        mean = float(curve["line"][1:].split("L")[0].split()[1])
        assert least - mean == pytest.approx(mean - greatest, abs=0.2)
        assert curve["marks"].count("M") == 2

    def test_have_a_place_for_no_errors_and_for_one_epoch(self) -> None:
        plot = curves([[(0.0, 0.0, 0.0)]], least=0.0001)

        assert [value for value, _ in plot["errors"]] == [0.0001, 0.0002]
        assert [value for value, _ in plot["epochs"]] == [1]

    def test_name_fewer_errors_of_a_wider_range(self) -> None:
        plots = [curves([[(0.004, 0.01, high)]], least=0.0001) for high in (0.1, 0.9)]

        values = [[value for value, _ in plot["errors"]] for plot in plots]

        assert values == [
            [0.003, 0.005, 0.007, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1],
            [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1],
        ]

    def test_name_some_of_many_epochs(self) -> None:
        plot = curves([[(0.01, 0.01, 0.01)] * 20], least=0.0001)

        assert [value for value, _ in plot["epochs"]] == [1, 5, 10, 15, 20]
