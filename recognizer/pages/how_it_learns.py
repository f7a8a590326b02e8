"""How it learns: the network's layers, and the experiments by which it was chosen."""

import math
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.http import require_safe

from recognizer.drawings.svg import path_of
from recognizer.pages.caching import ones_own
from recognizer.pages.experiments import Question, experiments_in, fast_in
from recognizer.pages.plots import CURVES_HEIGHT, CURVES_WIDTH, curves, mark
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
    page: dict[str, Any] = {
        "header": _header(),
        "digit": _digit(explained_digit()),
        "fast": fast_in(settings.FAST_TRAINING),
    }
    if network := explained_network(settings.STARTER_BUNDLE):
        page |= {
            "layers": _rows(network.layers),
            "weights": network.weights,
            "recipe": network.recipe,
        }
    if experiments := experiments_in(settings.EXPERIMENTS):
        asked: list[Question] = experiments["questions"]
        page |= {
            "experiments": experiments,
            "questions": [_question(one, experiments["read"]) for one in asked],
            "seeds": min((one.seeds for one in asked), default=0),
            "base_optimizer": _name_of_base(experiments, "optimizer"),
            "base_activation": _name_of_base(experiments, "activation"),
            "one_image": 1 / experiments["read"],
            "plot_width": CURVES_WIDTH,
            "plot_height": CURVES_HEIGHT,
        }
    return render(request, "recognizer/how_it_learns.html", {"page": page})


# --- a digit as numbers -------------------------------------------------------------

SHADES = 8  # a grey level is painted as one of so many


def _digit(digit: ExplainedDigit) -> dict[str, Any]:
    """Return a digit three times: as strokes, as grey levels, as dots and zeros.

    strokes: data of paths. shades: an opacity, and the path of all pixels that have it.
    """
    shades: dict[int, str] = {}
    for y, row in enumerate(digit.levels):
        for x, level in enumerate(row):
            if shade := math.ceil(level * SHADES / 255):
                shades[shade] = shades.get(shade, "") + f"M{x} {y}h1v1h-1z"
    return {
        "digit": digit,
        "strokes": [path_of(stroke) for stroke in digit.strokes],
        "shades": [
            (f"{shade / SHADES:g}", path) for shade, path in sorted(shades.items())
        ],
        "dots": "\n".join(digit.dots),
        "numbers": "\n".join(
            " ".join(f"{level:3}" for level in row) for row in digit.levels
        ),
    }


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

_BEGINS_A_ROW = {"InputLayer", "Soften", "Conv2D", "Flatten"}


def _rows(layers: list[Layer]) -> list[dict[str, Any]]:
    """Return a row for each convolution with what follows it, or other layer."""
    together: list[list[Layer]] = []
    for layer in layers:
        if layer.kind in _BEGINS_A_ROW or not together:
            together.append([])
        together[-1].append(layer)
    return [
        {
            "name": ", ".join(_layer_name(layer) for layer in row),
            "shape": " × ".join(str(side) for side in row[-1].shape),  # noqa: RUF001
            "numbers": math.prod(row[-1].shape),
            "weights": sum(layer.weights for layer in row),
        }
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


def _name_of_base(experiments: dict[str, Any], varied: str) -> str:
    """Return what the tables call the base's optimiser or activation."""
    for question in experiments["questions"]:
        if question.name == varied:
            for answer in question.answers:
                if answer.is_base:
                    return str(answer.name)
    return str(experiments["base"][varied])


def _question(question: Question, read: int) -> dict[str, Any]:
    """Return a question as a section: what is asked, curves, figures, conclusions."""
    title, asks, varied = QUESTIONS.get(question.name, (question.name, "", ""))
    weights = {answer.weights for answer in question.answers}
    # Half an image stands for none misread.
    plot = curves([answer.errors() for answer in question.answers], least=0.5 / read)
    return {
        "name": question.name,
        "title": _(title),
        "asks": _(asks) if asks else "",
        "varied": _(varied) if varied else "",
        "weights": weights.pop() if len(weights) == 1 else None,
        "curves": plot,
        "rows": [
            {
                "answer": answer,
                "curve": curve,
                "series": index % 6 + 1,
                "mark": mark(index),
                "is_best": answer in question.ranked[:1],
            }
            for index, (answer, curve) in enumerate(
                zip(question.answers, plot["curves"], strict=True)
            )
        ],
        "conclusions": _conclusions(question),
    }


def _conclusions(question: Question) -> list[str]:
    """Say which answer is best, by what lead, and which did not learn."""
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
        for answer in question.failed
    ]


def _of_the_best(question: Question) -> str:
    if not question.ranked:
        return _("No answer learnt in all of its trainings.")
    best = question.ranked[0]
    told = {"best": best.name, "accuracy": share(best.accuracy)}
    if len(question.ranked) == 1:
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
    told["spread"] = points(question.spread)
    if question.as_good:
        told["others"] = ", ".join(answer.name for answer in question.as_good)
        return (
            _(
                "Best: %(best)s, with %(accuracy)s read right; no further behind than "
                "the spread over the seeds (up to %(spread)s points), and so not told "
                "apart from it: %(others)s."
            )
            % told
        )
    told["second"], told["lead"] = question.ranked[1].name, points(question.lead)
    return (
        _(
            "Best: %(best)s, with %(accuracy)s read right; its lead of %(lead)s points "
            "over the next, %(second)s, is greater than the spread over the seeds "
            "(%(spread)s points)."
        )
        % told
    )
