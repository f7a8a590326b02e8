# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # How the model is made
#
# From the bytes of MNIST to a model that reads what people draw on this site, step by
# step: the data, the framing, the network, the choices behind it, a training, its
# mistakes, what its confidence is worth, and the way it serves.
#
# `make notebook` executes all of it and writes the outputs; the text is
# `how-the-model-is-made.py`, which the tests execute too, on a small budget. No figure
# is typed in: each is printed by the cell below the words that speak of it, from the
# data, from a file that a command of this project has written, or from the training
# that happens here. What differs on your machine will differ on your screen.

# %%
import json
import os
import platform
import struct
import tempfile
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path

import cv2
import keras
import numpy as np

from mlcore import paths
from mlcore.judging import report
from mlcore.judging.experiments import RESULTS
from mlcore.judging.judge import CANVAS_PX
from mlcore.judging.markdown import percent, table
from mlcore.judging.show import INK_FROM, dots_and_zeros, shown
from mlcore.reading import calibrate
from mlcore.reading.bundle import KERAS_WEIGHTS, SERVED_WEIGHTS, open_bundle
from mlcore.reading.calibrate import DIGITS, softmax
from mlcore.reading.inference import Recogniser, ServedNetwork
from mlcore.reading.pictures import decode_picture, encode_png
from mlcore.reading.preprocess import BOX_PX, SIDE_PX, normalize
from mlcore.reading.rasterise import DEFAULT_PEN_WIDTH_PX, draw_on_canvas, rasterise
from mlcore.reading.specimens import jittered, specimens
from mlcore.training import data
from mlcore.training.augment import VARIETIES, vary
from mlcore.training.dataset import made_non_digits
from mlcore.training.figures import ReadDigits, read_mnist
from mlcore.training.fit import network_logits
from mlcore.training.model import build_network
from mlcore.training.recipe import TrainConfig
from mlcore.training.train import train
from notebooks.answers import curves, verdict
from notebooks.pictures import plain_numbers, say, sheet, show

IS_SMALL = os.environ.get("NOTEBOOK_BUDGET") == "small"
EXPERIMENTS = Path(os.environ.get("NOTEBOOK_EXPERIMENTS") or RESULTS)

say(
    f"Executed on the {'small' if IS_SMALL else 'full'} budget with Python "
    f"{platform.python_version()}, TensorFlow {version('tensorflow')} and Keras "
    f"{version('keras')}, on {os.cpu_count()} cores ({platform.machine()})."
)

# %% [markdown]
# ## The bytes
#
# MNIST is four files in a format called IDX. A file begins with a header of big-endian
# numbers: two zero bytes, a byte for the type of the values (8 means unsigned bytes), a
# byte for the number of dimensions, then the size of each dimension in four bytes.
# After that come the values, row by row, and nothing else. That is little enough to
# read by hand.

# %%
content = (data.mnist_folder() / "train-images-idx3-ubyte").read_bytes()
print(f"{len(content):,} bytes, the first 16 of them in hexadecimal:")
print(content[:16].hex(" "))

zeros, kind, dimensions = struct.unpack(">HBB", content[:4])
count, height, width = struct.unpack(">3I", content[4:16])
print(
    f"zeros {zeros}, type {kind}, {dimensions} dimensions: {count}, {height}, {width}"
)

images = np.frombuffer(content, np.uint8, offset=16).reshape(count, height, width)
print(f"images: {images.shape} {images.dtype}, from {images.min()} to {images.max()}")

# %% [markdown]
# The labels are the same with one dimension, so with a header of eight bytes. From here
# on the project's own reader does the work: it also checks that sizes and checksums are
# right, and gives the same arrays.

# %%
content_of_labels = (data.mnist_folder() / "train-labels-idx1-ubyte").read_bytes()
labels = np.frombuffer(content_of_labels, np.uint8, offset=8)

by_hand_is_the_same = np.array_equal(
    images, data.parse_idx(content)
) and np.array_equal(labels, data.parse_idx(content_of_labels))
print(f"The project's reader gives the same arrays: {by_hand_is_the_same}")

# %% [markdown]
# MNIST comes in two parts, training and test. A part of the training images is held out
# by a fixed seed: these *validation* images make choices, such as how many epochs to
# train. The *test* images judge what is finished and choose nothing, or the judgement
# would be flattery.

# %%
mnist = data.load_mnist()
parts = {"train": mnist.train, "validation": mnist.validation, "test": mnist.test}
counts = {name: np.bincount(part.labels) for name, part in parts.items()}
rows = [
    [name, *(f"{n:,}" for n in [*of_digit, of_digit.sum()])]
    for name, of_digit in counts.items()
]
say(table(["digit", *range(DIGITS), "together"], rows))
some = [[images[labels == digit][place] for digit in range(DIGITS)] for place in (0, 1)]
show(sheet(some), "Two training images of each digit")

# %% [markdown]
# ## A digit as an array, as dots and zeros
#
# What a network sees of a digit are grey levels: 0 is paper, 255 is full ink. Here is
# the first training image without its margin, number by number.

# %%
digit = images[0]
print(f"labelled {labels[0]}, rows and columns 4 to 23 of {height}x{width}:\n")
for row in digit[4:24, 4:24]:
    print(" ".join(f"{level:3}" for level in row))

# %% [markdown]
# The form is hard to see in numbers. Written as a zero wherever there is enough ink,
# and as a dot elsewhere, it stands out, in any terminal.
# `python -m mlcore.judging.show train 0` shows the same with what the shipped model
# reads in it.

# %%
print(f"a zero for {INK_FROM} of 255 and more:\n")
print("\n".join(dots_and_zeros(digit)))

# %% [markdown]
# ## The framing, and why plain resizing fails
#
# The makers of MNIST fitted each digit into a box of 20x20 pixels, its proportions
# kept, and laid the box into 28x28 pixels so that the ink's centre of mass is in the
# middle. That can be measured: the longer side of the ink, and how far its centre of
# mass lies from the middle.

# %%
longest = np.array([max(cv2.boundingRect(image)[2:]) for image in images])
ink_of_each = images.sum(axis=(1, 2), dtype=np.int64)
centres = [
    images.sum(axis=other, dtype=np.int64) @ np.arange(SIDE_PX) / ink_of_each
    for other in (1, 2)
]
off_centre = np.maximum(*(abs(centre - SIDE_PX / 2) for centre in centres))
say(
    f"Of {len(images):,} training images {percent((longest == BOX_PX).mean())} have "
    f"ink that is {BOX_PX} pixels long in its longer direction, and in "
    f"{percent((off_centre <= 0.51).mean())} its centre of mass lies within half a "
    f"pixel of ({SIDE_PX // 2}, {SIDE_PX // 2}) along both axes."
)

# %% [markdown]
# A network that has only ever seen digits framed like that knows no others. So whatever
# comes in is framed in the same way, by one function that training, serving and
# evaluation share: `mlcore.reading.preprocess.normalize`. MNIST itself should come out
# of it as it went in.

# %%
unchanged = [
    np.array_equal(normalize(image)[..., 0], np.float32(image) / 255)
    for image in mnist.test.images
]
say(
    f"Of {len(unchanged):,} test images {np.sum(unchanged):,} come back from "
    "`normalize` exactly as they went in."
)

# %% [markdown]
# A sheet of paper is not framed. Here is one crossed seven as people might place it: in
# the middle, small in a corner, from edge to edge. The second row is what plain
# resizing of the sheet to 28x28 makes of it, the third what `normalize` makes of it.
# Above each stands what the shipped model reads in it, and with which probability.

# %%
shipped = Recogniser(open_bundle(paths.STARTER_BUNDLE))


def probabilities_of(image):
    """Read a (28, 28, 1) digit image as it is: ten probabilities."""
    logits = shipped.network.logits(image)
    return shipped.bundle.calibration.digit_probabilities(logits)


def plainly_resized(sheet_of_paper):
    """Resize a whole sheet to 28x28, wherever on it the ink is."""
    size = (SIDE_PX, SIDE_PX)
    small = cv2.resize(sheet_of_paper, size, interpolation=cv2.INTER_AREA)
    return np.float32(small[..., np.newaxis]) / 255


def placed(strokes, share, place):
    """Draw strokes on a sheet: their longer side a share of it, at (x, y) in [0, 1]."""
    there = data.scale_to_canvas(
        strokes, side=CANVAS_PX, margin=(1 - share) / 2 * CANVAS_PX
    )
    points = np.concatenate(there)
    low, high = points.min(axis=0), points.max(axis=0)
    shift = np.float32(place) * (CANVAS_PX - (high - low)) - low
    return [np.float32(stroke + shift) for stroke in there]


def drawn(strokes):
    """Draw strokes as the page does: (280, 280) uint8, with its one pen."""
    pen = DEFAULT_PEN_WIDTH_PX
    return draw_on_canvas(strokes, width=CANVAS_PX, height=CANVAS_PX, pen_width=pen)


def told(image):
    """Say what is read, and how probable it is."""
    probabilities = probabilities_of(image)
    return f"{probabilities.argmax()}, {probabilities.max():.0%}"


seven = next(s for s in specimens() if (s.digit, s.style) == (7, "crossed"))
sheets = [
    drawn(placed(seven.strokes, share, place))
    for share, place in (
        (BOX_PX / SIDE_PX, (0.5, 0.5)),
        (0.3, (0.95, 0.05)),
        (0.3, (0.1, 0.9)),
        (0.45, (0.9, 0.5)),
        (0.95, (0.5, 0.5)),
    )
]
resized = [plainly_resized(paper) for paper in sheets]
framed = [normalize(paper) for paper in sheets]
figure = sheet(
    [sheets, resized, framed],
    titles=[[""] * 5, [told(image) for image in resized], [told(i) for i in framed]],
    names=["the sheet", "resized", "framed"],
    width=1.2,
)
show(figure, "A seven placed in five ways, resized and framed")

# %% [markdown]
# One seven is a story, not a measurement. So: drawings of digits, each drawn on sheets
# in five sizes, once in the middle and once at a place by chance, with the page's pen;
# and the share that is read right by the shipped model after each way of framing. Where
# `PEN_DIR` names the pen drawings they are those of the judged writers, whom the model
# has never learnt from; elsewhere they are our own templates, written again by other
# hands. *Framed, from strokes* is what the page does: it draws the strokes anew with a
# pen that follows the drawing's size, so that not even the pen differs.

# %%
rng = np.random.default_rng(0)
if paths.pen_folder():
    judged = data.load_pen().split("judged").digits
    drawings = [(d.strokes, int(d.label)) for d in judged]
    whose = "pen drawings of the judged writers"
else:
    hands = [jittered(s, rng) for s in specimens() for _ in range(20)]
    drawings = [(s.strokes, s.digit) for s in hands]
    whose = "drawings after our own templates"
drawings = drawings[:: 20 if IS_SMALL else 1]

SHARES = (0.2, 0.3, 0.5, BOX_PX / SIDE_PX, 0.95)


def is_right_each_way(strokes, label, share):
    """Resize and frame a drawing somewhere on the sheet: is it read right each way?"""
    anywhere = placed(strokes, share, rng.random(2))
    ways = {
        "resized, in the middle": plainly_resized(
            drawn(placed(strokes, share, (0.5, 0.5)))
        ),
        "resized, anywhere": plainly_resized(drawn(anywhere)),
        "framed, from the picture": normalize(drawn(anywhere)),
        "framed, from strokes": normalize(rasterise(anywhere)),
    }
    return {way: probabilities_of(i).argmax() == label for way, i in ways.items()}


hits = [
    [is_right_each_way(*drawing, share) for drawing in drawings] for share in SHARES
]
right = {
    way: [np.mean([hit[way] for hit in of_share]) for of_share in hits]
    for way in hits[0][0]
}

figure, (axes,) = report.panels(
    ["Read right, by size on the sheet"], width=6.4, height=3.6
)
for way, shares_right in right.items():
    axes.plot(
        [100 * s for s in SHARES], [100 * r for r in shares_right], "o-", label=way
    )
axes.set(xlabel="longer side of the ink, % of the sheet", ylabel="% read right")
axes.set_ylim(0, 102)
axes.legend(loc="lower right", frameon=False)
show(figure, "Accuracy by size for plain resizing and for framing")
say(
    f"{len(drawings):,} {whose}:\n\n"
    + table(
        ["longer side of the ink", *(f"{share:.0%} of the sheet" for share in SHARES)],
        [[way, *(percent(r, 1) for r in of_way)] for way, of_way in right.items()],
    )
)

# %% [markdown]
# Plain resizing is right where a drawing happens to lie as MNIST's digits lie, and
# fails elsewhere. Looking for the ink before it is read mends that, whatever reads it.

# %% [markdown]
# ## The network
#
# A stack of convolutions. A convolution slides a small window over the picture and
# computes, at each place, a weighted sum for each of its filters; the same weights
# serve everywhere, so a stroke is recognised wherever it lies. Pooling keeps the
# strongest of four neighbours, which makes the picture smaller and small shifts
# harmless. Normalisation keeps the numbers in a range in which learning goes well, ReLU
# lets a filter say nothing. The last layer weighs all that was found and gives thirteen
# numbers, the *logits*: ten for the digit, three for the kind of drawing (one digit,
# several side by side, something else).

# %%
network = build_network()


def multiplications(layer):
    """Count what one picture costs in a layer."""
    if isinstance(layer, keras.layers.Conv2D):
        _, rows, columns, filters = layer.output.shape
        kernel_height, kernel_width, channels, _ = layer.kernel.shape
        return rows * columns * kernel_height * kernel_width * channels * filters
    if isinstance(layer, keras.layers.Dense):
        return layer.kernel.shape[0] * layer.kernel.shape[1]
    return 0


rows = [
    [
        type(layer).__name__,
        " x ".join(map(str, layer.output.shape[1:])),
        f"{layer.count_params():,}",
        f"{multiplications(layer):,}",
    ]
    for layer in network.layers
]
together = f"**{sum(map(multiplications, network.layers)):,}**"
rows.append(["**together**", "", f"**{network.count_params():,}**", together])
say(table(["layer", "gives", "weights", "multiplications"], rows))

# %% [markdown]
# `Soften` blurs what is read a little, as training blurs what it varies; it learns
# nothing. Why the layers are these and not others is told in `docs/decisions.md`, and
# partly below.
#
# What the layers find can be looked at. These are the outputs of three stages of the
# shipped network for the seven from above: eight filters each, those that respond most.
# The first stage sees edges and strokes in one direction; the later, the more of the
# digit goes into each pixel, and the less it looks like a picture.

# %%
trained_network = keras.models.load_model(
    shipped.bundle.folder / KERAS_WEIGHTS, compile=False, safe_mode=True
)
activations = (keras.layers.ReLU, keras.layers.Activation)
stages = [layer for layer in trained_network.layers if isinstance(layer, activations)]
looked_at = [stages[0], stages[1], stages[-1]]
found = keras.Model(trained_network.input, [stage.output for stage in looked_at])
responses = [np.array(response)[0] for response in found(framed[0][np.newaxis])]
strongest = [r[..., np.argsort(-r.mean(axis=(0, 1)))[:8]] for r in responses]
figure = sheet(
    [list(np.moveaxis(response, -1, 0)) for response in strongest],
    names=[f"{r.shape[0]}x{r.shape[1]}, of {r.shape[2]}" for r in responses],
    width=1.0,
)
show(figure, "What eight filters of three stages respond to")

# %% [markdown]
# ## The experiments
#
# Why is it trained as it is? Seven questions, each of which changes one thing of the
# same base: `python -m mlcore.judging.experiments` trains each answer with several
# seeds on MNIST's training images, unvaried, and reads the validation images. No test
# image is touched. The curves are the log-loss on the validation images, a mean over
# the seeds in a band from the least to the most; the dots are what each seed reads
# right at the end. The sentence below each picture is computed: two answers count as
# told apart where their means differ by more than the larger of their standard
# deviations.

# %%
results = json.loads(EXPERIMENTS.read_text())
questions = results["questions"]
base = results["base"]
say(
    f"Trained on {results['digits'][0]:,} images and read on {results['digits'][1]:,}, "
    f"with TensorFlow {results['versions']['tensorflow']} on {results['machine']}, "
    f"finished {results['finished'][:10]}. The base:\n\n"
    + table([name.replace("_", " ") for name in base], [list(base.values())])
    + f"\nOne validation image is {percent(1 / results['digits'][1])}. The seeds' "
    "spread is that of training; other images would spread the figures as well."
)


def answer_to(question, *, is_ordered=False):
    """Show a question's curves, and what they tell apart."""
    show(
        curves(questions[question], is_ordered=is_ordered),
        f"Curves of {len(questions[question])} answers: {question.replace('_', ' ')}",
    )
    say(verdict(questions[question]))


# %% [markdown]
# ### Which optimiser?
#
# Each learns by stepping against the gradient; they differ in how they scale and
# remember it. Each is tried at one rate that is usual for it, because the same number
# does not mean the same to all of them; so a rank here says something of the rate as
# well, and the next question shows how much. The recipe that ships takes AdamW, which
# also pulls the weights towards zero, with a rate of its own.

# %%
answer_to("optimizer")

# %% [markdown]
# ### How large a step?
#
# Too small a rate has not arrived when the time is up, too large a one jumps about or
# falls over. The recipe avoids the choice in part: its rate rises at first, then falls
# to zero along a cosine, so that all sizes have their turn.

# %%
answer_to("learning_rate", is_ordered=True)

# %% [markdown]
# ### How many images at once?
#
# With a fixed number of epochs, small batches take more steps and noisier ones; large
# batches use the processor better. The rate is the base's for all of them here, which
# is not fair to the large ones.

# %%
answer_to("batch_size", is_ordered=True)

# %% [markdown]
# ### How often?
#
# More epochs on the same, unvaried images: the log-loss tells when a network begins to
# learn its training images by heart, because it grows surer of its mistakes. The recipe
# shows no image twice in the same way, so it can go on for longer.

# %%
answer_to("epochs", is_ordered=True)

# %% [markdown]
# ### Which activation?
#
# Without one between them, two layers are no more than one. ReLU is the cheapest.

# %%
answer_to("activation")

# %% [markdown]
# ### How much dropout?
#
# In training a share of the last layer's inputs is set to zero by chance, so that no
# single one is relied on.

# %%
answer_to("dropout", is_ordered=True)

# %% [markdown]
# ### Which layers?
#
# The same training for everything from one dense layer, which only weighs pixels, to
# the network that ships. It is the largest of them and was made for other conditions:
# varied images, more epochs, a rate that falls.

# %%
answer_to("layers")
rows = [
    [label, f"{answer['runs'][0]['weights']:,}"]
    for label, answer in questions["layers"].items()
]
say(table(["layers", "weights"], rows))

# %% [markdown]
# ## A training
#
# Now the recipe that ships, on a small budget: MNIST alone, a few epochs. The shipped
# model has also learnt from pen drawings, and for longer. What differs is in bold.

# %%
scratch = tempfile.TemporaryDirectory(prefix="notebook-bundle-")
config = TrainConfig(epochs=4, out=scratch.name)
if IS_SMALL:
    config = replace(
        config, epochs=2, digits=1_500, non_digits=100, batch_size=32, ema_momentum=0.9
    )
of_shipped = shipped.bundle.manifest["provenance"]["config"]
here = asdict(config)
rows = [
    [
        name.replace("_", " "),
        f"**{here[name]}**" if here[name] != value else here[name],
        value if value != "" else "nothing",
    ]
    for name, value in of_shipped.items()
    if here[name] != "" or value != ""
]
say(table(["field", "here", "shipped"], rows))

# %% [markdown]
# No epoch sees the same pictures. Each digit is drawn anew: with another slant, size,
# place, wobble and pen, and now and then with dirt. And there are drawings that are not
# one digit, so that the network learns to say so: several side by side, tangles,
# outlines, digits taken apart.

# %%
rng = np.random.default_rng(1)
varied = vary(np.repeat(images[:2], 10, axis=0), VARIETIES["hand"], rng)
show(
    sheet([list(varied[:10]), list(varied[10:])]),
    "Two training digits, each drawn anew ten times",
)
others = made_non_digits(mnist.train, 20, rng)
show(
    sheet([list(others.images[:10]), list(others.images[10:])]),
    "Twenty made drawings that are not one digit",
)

# %% [markdown]
# The same function that `make train` calls. It leaves a bundle: a folder with the
# weights, the calibration and the figures, named by its digest. The accuracy after each
# epoch is that on the validation images.

# %%
trained = train(config)

# %%
record = json.loads((trained.folder / "run.json").read_text())
history = record["history"]
epochs = range(1, len(history) + 1)
titles = ["Loss in training", "Log-loss, validation", "Misread, validation"]
values = [[row["loss"], row["mnist_loss"], 100 * (1 - row["mnist"])] for row in history]
figure, grid = report.panels(titles, width=10, height=3)
for axes, of_panel in zip(grid, np.transpose(values), strict=True):
    axes.plot(epochs, of_panel, "o-")
    axes.set(ylim=(0, None), xticks=epochs, xlabel="epoch")
grid[2].set_ylabel("%")
show(figure, "Loss and misread validation images by epoch")
say(
    f"{len(history)} epochs in {record['seconds']['fit'] / 60:.1f} minutes; the "
    f"shipped model took {of_shipped['epochs']} epochs and "
    f"{shipped.bundle.manifest['provenance']['minutes']:.0f} minutes."
)

# %% [markdown]
# The loss in training is larger than that on the validation images, and that is no
# mistake: it is taken on varied pictures, with dropout, with softened targets, and
# holds the loss of the kind of drawing as well. The log-loss is that of the network
# before it is calibrated: targets that are softened make it less sure than it is right,
# so that it may rise while fewer images are misread. That is mended further down.

# %% [markdown]
# ## What it gets wrong
#
# Both models read the test images, as they serve: through the bundle's LiteRT weights,
# its calibration and its refusals. *Read right* counts the largest of the ten
# probabilities, refused or not.

# %%
test = mnist.first(config.digits).test
ours = Recogniser(trained.bundle)
by_ours, by_shipped = read_mnist(ours, test), read_mnist(shipped, test)
figures = {"trained here": by_ours.figures(), "shipped": by_shipped.figures()}
rows = [
    [name, f"{row['digits']:,}"]
    + [percent(row[key]) for key in ("accuracy", "refused", "accuracy_answered")]
    for name, row in figures.items()
]
say(
    table(
        ["model", "digits", "read right", "refused", "right among the answered"], rows
    )
)
bundles = {"trained here": trained.bundle, "shipped": shipped.bundle}
for name, bundle in bundles.items():
    noted = bundle.metrics["mnist_test"]
    if noted["digits"] == len(test):
        is_as_noted = noted["accuracy"] == figures[name]["accuracy"]
        print(f"The accuracy of {name} is the one its bundle notes: {is_as_noted}")

# %% [markdown]
# Which digits are taken for which: the mistakes in orange, the rest in grey.

# %%
show(
    report.confusion({"Trained here": by_ours, "Shipped": by_shipped}),
    "Two confusion matrices",
)

# %% [markdown]
# The surest mistakes of the shipped model, as it saw them. Ask yourself what you would
# read: some are labelled as few people would.

# %%
show(
    report.mistakes({"shipped model": by_shipped}),
    "The surest mistakes on the test images",
)
both_wrong = int((~by_ours.right & ~by_shipped.right).sum())
say(
    f"The shipped model misreads {int((~by_shipped.right).sum())} of {len(test):,}, "
    f"the one trained here {int((~by_ours.right).sum())}; {both_wrong} are misread by "
    "both."
)

# %% [markdown]
# ## What the confidence is worth
#
# Softmax turns ten logits into numbers that sum to one, but nothing makes these numbers
# true. Of the digits that are read with a confidence of nine tenths, nine in ten should
# be right. A single number can mend much of it: the logits are divided by a
# *temperature* before the softmax. Above one it makes a network humbler, below one
# surer; it never changes which digit is the likeliest. It is fitted on held-out digits,
# by the least log-loss.

# %%
held_out = mnist.first(config.digits).validation
served = ServedNetwork(trained.bundle.served_weights())
logits = served.logits_of(held_out.images)


def log_loss(temperature):
    """Return the mean negative log-probability of the true digit."""
    probabilities = softmax(logits[:, :DIGITS] / temperature)
    of_truth = probabilities[np.arange(len(held_out)), held_out.labels]
    return float(-np.log(of_truth).mean())


fitted = calibrate.fit_temperature([calibrate.HeldOut(logits, held_out.labels)])
temperatures = np.geomspace(0.3, 3, 60)
figure, (axes,) = report.panels(
    ["Log-loss by temperature, validation"], width=6.4, height=3.4
)
axes.plot(temperatures, [log_loss(temperature) for temperature in temperatures])
axes.plot([fitted], [log_loss(fitted)], "o", label=f"the least: {fitted:.2f}")
axes.plot([1], [log_loss(1)], "o", label="as the network says: 1")
axes.set(xlabel="temperature", ylabel="log-loss", xscale="log", yscale="log")
plain_numbers(axes.xaxis)
plain_numbers(axes.yaxis)
axes.legend(frameon=False)
show(figure, "Log-loss on the validation images against the temperature")
kept = trained.bundle.calibration.temperature
print(f"The bundle keeps the same temperature: {fitted == kept}")
say(
    f"A temperature of {fitted:.2f} makes it {'humbler' if fitted > 1 else 'surer'}: "
    "the log-loss on the validation images goes from "
    f"{log_loss(1):.4f} to {log_loss(fitted):.4f}."
)

# %% [markdown]
# On the test images, before and after: the share read right against the confidence, in
# bins. On the dotted line a confidence is worth what it says. Bins of few digits jump
# about; the dots grow with the number. The *expected calibration error* is the mean
# distance from that line.

# %%
as_said = softmax(served.logits_of(test.images)[:, :DIGITS])
readings = [
    replace(reading, probabilities=tuple(probabilities))
    for reading, probabilities in zip(by_ours.readings, as_said, strict=True)
]
uncalibrated = ReadDigits(readings, test.labels)
show(
    report.reliability({"as the network says": uncalibrated, "calibrated": by_ours}),
    "Confidence against accuracy, before and after calibration",
)
errors = [
    calibrate.expected_calibration_error(read.probabilities, test.labels)
    for read in (uncalibrated, by_ours)
]
say(
    f"Expected calibration error: {percent(errors[0])} as the network says, "
    f"{percent(errors[1])} calibrated."
)

# %% [markdown]
# Where it is too unsure, or the ink is not like one digit, the reader refuses and says
# why. The thresholds are quantiles of held-out digits, so that each refusal takes a
# known small share of real digits. They travel in the bundle.

# %%
here, there = asdict(trained.bundle.calibration), asdict(shipped.bundle.calibration)
rows = [
    [reason, where, f"{here[key]:.4f}", f"{there[key]:.4f}"]
    for reason, where, key in (
        ("several", "that kind is likelier than", "several_above"),
        ("not a digit", "one digit is less likely than", "digitness_below"),
        ("unsure", "the confidence is below", "confidence_below"),
    )
]
say(table(["refused as", "where", "trained here", "shipped"], rows))
few_others = made_non_digits(mnist.train, 200, rng)
refused = np.mean([ours.read(image).refusal is not None for image in few_others.images])
say(
    f"Of {len(few_others)} newly made drawings that are not one digit the model "
    f"trained here refuses {percent(refused, 0)}. They are of the kinds it has learnt "
    "from; letters and sketches are in the model card."
)

# %% [markdown]
# ## The same answer where it serves
#
# The site never loads TensorFlow. The network is converted to LiteRT, its weights
# rounded to 8 bits, and read by a small interpreter. Rounding must not change what is
# read: here are the test images by the Keras network with everything by hand (its
# logits, divided by the temperature, through a softmax), and by the `Recogniser` that
# the site calls.

# %%
by_keras = keras.models.load_model(
    trained.bundle.folder / KERAS_WEIGHTS, compile=False, safe_mode=True
)
logits_by_keras = network_logits(by_keras, test)
probabilities_by_hand = softmax(logits_by_keras[:, :DIGITS] / kept)
digitness_by_hand = calibrate.kind_probabilities(logits_by_keras)[:, 0]

same = probabilities_by_hand.argmax(axis=1) == by_ours.probabilities.argmax(axis=1)
apart = np.abs(probabilities_by_hand - by_ours.probabilities).max(axis=1)
apart_in_kind = np.abs(digitness_by_hand - [r.digitness for r in by_ours.readings])
large, small = (
    (trained.bundle.folder / name).stat().st_size / 1e3
    for name in (KERAS_WEIGHTS, SERVED_WEIGHTS)
)
say(
    f"Same digit for **{same.sum():,} of {len(test):,}**. A probability differs by "
    f"{np.median(apart):.1e} in the median and by {apart.max():.3f} at most, how "
    f"digit-like the ink is by {apart_in_kind.max():.3f} at most. The file shrinks "
    f"from {large:,.0f} kB to {small:,.0f} kB."
)

# %% [markdown]
# And the whole way of a drawing, as the page sends it: strokes as JSON, drawn, framed,
# read by the shipped model. The same drawing sent as a PNG picture comes in by the
# other door, and is read alike.

# %%
rounded = [stroke.astype(float).round(1).tolist() for stroke in seven.strokes]
sent = json.dumps({"strokes": rounded})
print(f"{sent[:70]}...\n")
strokes = [np.array(stroke, np.float32) for stroke in json.loads(sent)["strokes"]]
from_strokes = shipped.read(rasterise(strokes))
print(shown("A crossed seven of our own, read by the shipped model", from_strokes))

png = encode_png(255 - drawn(strokes))
from_picture = shipped.read_picture(decode_picture(png))
print(f"\nAs strokes {from_strokes.digit}, as a picture {from_picture.digit}.")

# %% [markdown]
# ## What came of it
#
# The figures of this run, as the tests look at them.

# %% tags=["figures"]
print(
    json.dumps(
        {
            "by_hand_is_the_same": by_hand_is_the_same,
            "unchanged_by_normalize": float(np.mean(unchanged)),
            "resized_anywhere": float(np.mean(right["resized, anywhere"])),
            "framed_from_strokes": float(np.mean(right["framed, from strokes"])),
            "test_digits": len(test),
            "accuracy": figures["trained here"]["accuracy"],
            "accuracy_of_shipped": figures["shipped"]["accuracy"],
            "bundle_keeps_the_temperature": fitted == kept,
            "same_digit_as_keras": float(same.mean()),
            "strokes_read_as": from_strokes.digit,
            "picture_read_as": from_picture.digit,
        },
        indent=1,
    )
)

# %% [markdown]
# ## Where to read on
#
# - [The model card](../docs/model-card.md): the shipped model judged, with spreads over
#   seeds, on pen drawings, letters, sketches and pictures that were spoilt.
# - [Training](../docs/training.md): every flag, resuming, GPUs, the fast recipe.
# - [Decisions](../docs/decisions.md): what was tried and what was left.
# - The code: `mlcore/` reads from `data` over `preprocess`, `model`, `fit` and `train`
#   to `calibrate` and `inference`.
