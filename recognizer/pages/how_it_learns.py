"""How it learns: the network's layers and the experiments that led to them."""

import math
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.http import require_safe

from recognizer.drawings.listing import submission_page
from recognizer.drawings.svg import path_of
from recognizer.models import Submission
from recognizer.pages.caching import ones_own
from recognizer.pages.experiments import Question, experiments_in, fast_in
from recognizer.pages.plots import CURVES_HEIGHT, CURVES_WIDTH, curves, mark
from recognizer.people.visitors import caller_of
from recognizer.reader.explaining import (
    ExplainedDigit,
    ExplainedNetwork,
    Layer,
    explained_digit,
    explained_network,
    outputs_of,
)
from recognizer.templatetags.figures import points, share


@require_safe
@ones_own
def how_it_learns(request: HttpRequest) -> HttpResponse:
    """Show the network and the experiments behind it."""
    page: dict[str, Any] = {
        "digit": _digit(explained_digit()),
        "fast": fast_in(settings.FAST_TRAINING),
    }
    if network := explained_network(settings.STARTER_BUNDLE):
        submission = _drawing_of_caller(request)
        page |= {
            "layers": _with_outputs(_rows(network.layers), network, submission),
            "submission": submission,
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

SHADES = 8  # grey levels are drawn in this many opacities


def _digit(digit: ExplainedDigit) -> dict[str, Any]:
    """Return a digit three times: as strokes, as grey levels, as dots and zeros.

    strokes: SVG paths. shades: pairs of an opacity and the path of its pixels.
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


# --- the network --------------------------------------------------------------------


def _drawing_of_caller(request: HttpRequest) -> Submission | None:
    """Return the drawing that the address names, or the caller's latest; None if none.

    Raises Http404: the named one is not the caller's.
    """
    visitors = caller_of(request).visitors
    if named := request.GET.get("drawing"):
        own = Submission.objects.owned_by(*visitors).with_shown_prediction()
        try:
            return get_object_or_404(own, pk=UUID(named))
        except ValueError as error:
            raise Http404 from error
    latest = submission_page(Submission.objects.all(), visitors=visitors, size=1)
    return next(iter(latest.submissions), None)


def _with_outputs(
    rows: list[dict[str, Any]],
    network: ExplainedNetwork,
    submission: Submission | None,
) -> list[dict[str, Any]]:
    """Add to each row what its layers make of the drawing: a picture, or numbers."""
    shapes = [row["output"] for row in rows]
    tiles, logits = outputs_of(network, submission, shapes=shapes)
    for row, picture in zip(rows, tiles, strict=False):
        row["tiles"] = picture
    rows[-1]["logits"] = [
        (digit, logit, logit == max(logits)) for digit, logit in enumerate(logits)
    ]
    return rows


_BEGINS_A_ROW = {"InputLayer", "Soften", "Conv2D", "Flatten"}


def _rows(layers: list[Layer]) -> list[dict[str, Any]]:
    """Return the table's rows: a convolution's row has the layers after it too."""
    together: list[list[Layer]] = []
    for layer in layers:
        if layer.kind in _BEGINS_A_ROW or not together:
            together.append([])
        together[-1].append(layer)
    return [
        {
            "name": ", ".join(_layer_name(layer) for layer in row),
            "output": row[-1].shape,
            "shape": " × ".join(str(side) for side in row[-1].shape),
            "numbers": math.prod(row[-1].shape),
            "weights": sum(layer.weights for layer in row),
        }
        for row in together
    ]


def _layer_name(layer: Layer) -> str:
    if layer.kind == "Conv2D":
        return _("%(size)s × %(size)s convolution") % {"size": layer.size}
    if layer.kind == "MaxPooling2D":
        return _("%(size)s × %(size)s pooling") % {"size": layer.size}
    if layer.kind == "Dropout":
        return _("dropout %(share)s") % {"share": share(layer.share, 0)}
    return {
        "InputLayer": _("input"),
        "Soften": _("slight blur"),
        "BatchNormalization": _("batch normalisation"),
        "ReLU": "ReLU",
        "Activation": _("activation"),
        "Flatten": _("flatten"),
        "Dense": _("dense layer"),
    }[layer.kind]


# --- the experiments ----------------------------------------------------------------

# By name in the file: a question's title, and the name of the varied setting.
QUESTIONS = {
    "optimizer": (gettext_noop("Which optimiser?"), gettext_noop("Optimiser")),
    "learning_rate": (
        gettext_noop("Which learning rate?"),
        gettext_noop("Learning rate"),
    ),
    "batch_size": (gettext_noop("Which batch size?"), gettext_noop("Batch size")),
    "epochs": (gettext_noop("How many epochs?"), gettext_noop("Epochs")),
    "activation": (
        gettext_noop("Which activation function?"),
        gettext_noop("Activation"),
    ),
    "dropout": (gettext_noop("How much dropout?"), gettext_noop("Dropout rate")),
    "layers": (
        gettext_noop("How many layers, and which kind?"),
        gettext_noop("Layers"),
    ),
}


def _name_of_base(experiments: dict[str, Any], varied: str) -> str:
    """Return the base setting's optimiser or activation, as the tables name it."""
    for question in experiments["questions"]:
        if question.name == varied:
            for answer in question.answers:
                if answer.is_base:
                    return str(answer.name)
    return str(experiments["base"][varied])


def _question(question: Question, read: int) -> dict[str, Any]:
    """Return a question as a section: what is asked, curves, figures, conclusions."""
    title, varied = QUESTIONS.get(question.name, (question.name, ""))
    weights = {answer.weights for answer in question.answers}
    # If no image is misread, half an image is drawn.
    plot = curves([answer.errors() for answer in question.answers], least=0.5 / read)
    return {
        "name": question.name,
        "title": _(title),
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
    """Say which answer is best, how large its lead is, and which did not learn."""
    return [_of_the_best(question)] + [
        _(
            "%(name)s did not learn in %(failed)s of %(seeds)s runs: its mean accuracy "
            "is %(accuracy)s, and guessing gets 10 %%."
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
        return _("No option learnt in all of its runs.")
    best = question.ranked[0]
    told = {"best": best.name, "accuracy": share(best.accuracy)}
    if len(question.ranked) == 1:
        return (
            _("Only %(best)s learnt in every run, with an accuracy of %(accuracy)s.")
            % told
        )
    if question.seeds < 2:
        return (
            _(
                "Best: %(best)s, with an accuracy of %(accuracy)s. Each option was "
                "trained only once, so this may be chance."
            )
            % told
        )
    told["spread"] = points(question.spread)
    if question.as_good:
        told["others"] = ", ".join(answer.name for answer in question.as_good)
        return (
            _(
                "Best: %(best)s, with an accuracy of %(accuracy)s. No clear difference "
                "from %(others)s: the gap is within the spread over the seeds (up to "
                "%(spread)s points)."
            )
            % told
        )
    told["second"], told["lead"] = question.ranked[1].name, points(question.lead)
    return (
        _(
            "Best: %(best)s, with an accuracy of %(accuracy)s. Its lead of %(lead)s "
            "points over %(second)s is larger than the spread over the seeds "
            "(%(spread)s points)."
        )
        % told
    )
