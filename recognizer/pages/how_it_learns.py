"""How it learns: what the network is made of, and by which trials it was chosen."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.http import require_safe

from recognizer.drawings.svg import path_of
from recognizer.pages.caching import ones_own
from recognizer.pages.experiments import (
    Answer,
    Experiments,
    Fast,
    Question,
    experiments_in,
    fast_in,
)
from recognizer.pages.plots import (
    CURVES_HEIGHT,
    CURVES_WIDTH,
    Curve,
    Curves,
    curves,
    mark,
)
from recognizer.reader.explaining import (
    ExplainedDigit,
    Layer,
    explained_digit,
    explained_network,
)
from recognizer.templatetags.figures import points, share


@require_safe
@ones_own
def how_it_learns(request: HttpRequest) -> HttpResponse:
    """Show how the network came to be as it is."""
    experiments = experiments_in(settings.EXPERIMENTS)
    network = explained_network(settings.STARTER_BUNDLE)
    shown = ExplainedView(
        header=_header(),
        digit=_digit(explained_digit()),
        layers=_rows(network.layers) if network else [],
        weights=network.weights if network else 0,
        recipe=network.recipe if network else {},
        experiments=experiments,
        questions=[
            _question(question, experiments.read) for question in experiments.questions
        ]
        if experiments
        else [],
        fast=fast_in(settings.FAST_TRAINING),
    )
    return render(request, "recognizer/how_it_learns.html", {"page": shown})


# --- a digit as numbers -------------------------------------------------------------

SHADES = 8  # a grey level is painted as one of so many


@dataclass(frozen=True)
class DigitView:
    """A digit three times: as strokes, as grey levels, as dots and zeros.

    strokes: data of paths; shades: an opacity, and the path of all pixels that have it.
    """

    digit: ExplainedDigit
    strokes: list[str]
    shades: list[tuple[str, str]]
    dots: str
    numbers: str


def _digit(digit: ExplainedDigit) -> DigitView:
    shades: dict[int, str] = {}
    for y, row in enumerate(digit.levels):
        for x, level in enumerate(row):
            if shade := math.ceil(level * SHADES / 255):
                shades[shade] = shades.get(shade, "") + f"M{x} {y}h1v1h-1z"
    return DigitView(
        digit=digit,
        strokes=[path_of(stroke) for stroke in digit.strokes],
        shades=[
            (f"{shade / SHADES:g}", path) for shade, path in sorted(shades.items())
        ],
        dots="\n".join(digit.dots),
        numbers="\n".join(
            " ".join(f"{level:3}" for level in row) for row in digit.levels
        ),
    )


def _header() -> list[tuple[str, str]]:
    """Return the sixteen bytes before MNIST's training images: four numbers."""
    return [
        (value.to_bytes(4, "big").hex(" "), words)
        for value, words in (
            (0x0803, _("bytes, in three dimensions")),
            (60_000, _("60,000 images")),
            (28, _("28 rows each")),
            (28, _("of 28 pixels")),
        )
    ]


# --- the network --------------------------------------------------------------------


@dataclass(frozen=True)
class LayersRow:
    """A convolution with what follows it, or another layer: what it is and gives."""

    name: str
    shape: str
    numbers: int
    weights: int


_BEGINS_A_ROW = {"InputLayer", "Soften", "Conv2D", "Flatten"}


def _rows(layers: list[Layer]) -> list[LayersRow]:
    together: list[list[Layer]] = []
    for layer in layers:
        if layer.kind in _BEGINS_A_ROW or not together:
            together.append([])
        together[-1].append(layer)
    return [
        LayersRow(
            name=", ".join(_layer_name(layer) for layer in row),
            shape=" × ".join(str(side) for side in row[-1].shape),  # noqa: RUF001
            numbers=math.prod(row[-1].shape),
            weights=sum(layer.weights for layer in row),
        )
        for row in together
    ]


def _layer_name(layer: Layer) -> str:
    if layer.kind == "Conv2D":
        return _("convolution of %(size)s × %(size)s") % {"size": layer.size}  # noqa: RUF001
    if layer.kind == "MaxPooling2D":
        return _("pooled by %(size)s × %(size)s") % {"size": layer.size}  # noqa: RUF001
    if layer.kind == "Dropout":
        return _("dropout of %(share)s") % {"share": share(layer.share, 0)}
    return {
        "InputLayer": _("the digit"),
        "Soften": _("softened a little"),
        "BatchNormalization": _("normalised"),
        "ReLU": "ReLU",
        "Activation": _("activated"),
        "Flatten": _("laid in a row"),
        "Dense": _("dense layer"),
    }[layer.kind]


# --- the experiments ----------------------------------------------------------------


@dataclass(frozen=True)
class AnswerRow:
    """An answer's figures, and its curve: the series' number and mark."""

    answer: Answer
    curve: Curve
    series: int
    mark: str
    is_best: bool


@dataclass(frozen=True)
class QuestionView:
    """A question as a section: what is asked, curves, figures, what came of it.

    weights: of each answer's network; None where they differ.
    """

    name: str
    title: str
    asks: str
    varied: str
    weights: int | None
    curves: Curves
    rows: list[AnswerRow]
    conclusions: list[str]


@dataclass(frozen=True)
class ExplainedView:
    """The page's content; `experiments` and `fast` are None before they were run."""

    header: list[tuple[str, str]]
    digit: DigitView
    layers: list[LayersRow]
    weights: int
    recipe: Mapping[str, Any]
    experiments: Experiments | None
    questions: list[QuestionView]
    fast: Fast | None
    plot_width: int = CURVES_WIDTH
    plot_height: int = CURVES_HEIGHT

    @property
    def seeds(self) -> int:
        """How often each answer was trained at least."""
        questions = self.experiments.questions if self.experiments else []
        return min((question.seeds for question in questions), default=0)

    @property
    def base_optimizer(self) -> str:
        """What the base makes its steps by, as the tables call it."""
        return self._base("optimizer")

    @property
    def base_activation(self) -> str:
        """What the base bends by, as the tables call it."""
        return self._base("activation")

    def _base(self, varied: str) -> str:
        for question in self.questions:
            if question.name == varied:
                for row in question.rows:
                    if row.answer.is_base:
                        return row.answer.name
        return str(self.experiments.base[varied]) if self.experiments else ""

    @property
    def one_image(self) -> float:
        """What one image more read right adds to an accuracy."""
        return 1 / self.experiments.read if self.experiments else 0


# What the file calls a question: its title, what is asked, what is varied.
QUESTIONS = {
    "optimizer": (
        gettext_noop("Which optimiser?"),
        gettext_noop(
            "The optimiser makes a step out of the gradients. Plain descent follows "
            "the last gradient, momentum remembers those before, and Adam and its kin "
            "give each weight a step of its own. Each was given a rate usual for it, "
            "since one number does not mean the same to all of them. Another rate may "
            "change their order: what it does for Adam is the next question."
        ),
        gettext_noop("Optimiser"),
    ),
    "learning_rate": (
        gettext_noop("Which learning rate?"),
        gettext_noop(
            "The rate says how long a step is. With short ones the epochs end before "
            "the network has arrived; with long ones it steps over what it looks for, "
            "or loses its way altogether."
        ),
        gettext_noop("Rate"),
    ),
    "batch_size": (
        gettext_noop("How large a batch?"),
        gettext_noop(
            "A step is made from the mean over a batch of images. A large batch gives "
            "a surer direction and, in as many epochs, fewer steps."
        ),
        gettext_noop("Images"),
    ),
    "epochs": (
        gettext_noop("How many epochs?"),
        gettext_noop(
            "Each epoch shows all training images once more. In the end a network "
            "learns by heart what it is shown; held-out images tell whether it still "
            "gets better at others. The curves lie on each other, since a longer "
            "training begins like a shorter one: what counts is where they end."
        ),
        gettext_noop("Epochs"),
    ),
    "activation": (
        gettext_noop("Which activation?"),
        gettext_noop(
            "Without a bend between them, layers on layers would be one layer. The "
            "activation is that bend. Where it is flat, nothing can be learnt, and "
            "some are flat at both ends."
        ),
        gettext_noop("Activation"),
    ),
    "dropout": (
        gettext_noop("How much dropout?"),
        gettext_noop(
            "In training, dropout leaves out a share of the numbers before the last "
            "layer, others each time, so that no weight can rely on a single one. It "
            "guards against learning by heart, and takes something from what can be "
            "learnt at all."
        ),
        gettext_noop("Left out"),
    ),
    "layers": (
        gettext_noop("How many layers, and of which kind?"),
        gettext_noop(
            "A dense layer joins every number with every other and does not know "
            "which pixels are neighbours. A convolution looks for the same small "
            "patterns all over the picture, so that a stroke may lie a little further "
            "to the left."
        ),
        gettext_noop("Layers"),
    ),
}


def _question(question: Question, read: int) -> QuestionView:
    title, asks, varied = QUESTIONS.get(question.name, (question.name, "", ""))
    weights = {answer.weights for answer in question.answers}
    # Half an image stands for none misread.
    plot = curves([answer.errors() for answer in question.answers], least=0.5 / read)
    return QuestionView(
        name=question.name,
        title=_(title),
        asks=_(asks) if asks else "",
        varied=_(varied) if varied else "",
        weights=weights.pop() if len(weights) == 1 else None,
        curves=plot,
        rows=[
            AnswerRow(
                answer=answer,
                curve=curve,
                series=index % 6 + 1,
                mark=mark(index),
                is_best=answer is question.finding.best,
            )
            for index, (answer, curve) in enumerate(
                zip(question.answers, plot.curves, strict=True)
            )
        ],
        conclusions=_conclusions(question),
    )


def _conclusions(question: Question) -> list[str]:
    """Say who read best and by what lead, and who did not learn."""
    return [_of_the_best(question)] + [
        _(
            "%(name)s did not learn in %(failed)s of %(seeds)s trainings: on average "
            "%(accuracy)s were read right, and who guesses reads 10 %%."
        )
        % {
            "name": answer.name,
            "failed": answer.failed,
            "seeds": answer.seeds,
            "accuracy": share(answer.accuracy),
        }
        for answer in question.finding.failed
    ]


def _of_the_best(question: Question) -> str:
    finding = question.finding
    best, second = finding.best, finding.second
    if best is None:
        return _("No answer learnt in all of its trainings.")
    told = {"best": best.name, "accuracy": share(best.accuracy)}
    if second is None:
        return (
            _("Alone in learning each time: %(best)s, with %(accuracy)s read right.")
            % told
        )
    if question.seeds < 2:
        return (
            _(
                "Best: %(best)s, with %(accuracy)s read right; trained once each, "
                "nobody knows how much of that is chance."
            )
            % told
        )
    told["spread"] = points(finding.spread)
    if finding.as_good:
        told["others"] = ", ".join(answer.name for answer in finding.as_good)
        return (
            _(
                "Best: %(best)s, with %(accuracy)s read right; no further behind than "
                "the spread over the seeds (up to %(spread)s points), and so not told "
                "apart from it: %(others)s."
            )
            % told
        )
    told["second"], told["lead"] = second.name, points(finding.lead)
    return (
        _(
            "Best: %(best)s, with %(accuracy)s read right; its lead of %(lead)s points "
            "over the next, %(second)s, is greater than the spread over the seeds "
            "(%(spread)s points)."
        )
        % told
    )
