"""Train the second network of `reading.regions`, which scores parts of a picture.

    python -m mlcore.judging.region_fit        # writes mlcore/reading/regions.npz

Rows of digits by the writers that trained the first network are drawn on paper, every
second with digits that touch, and single digits too. It learns to make what was written
likely among all numbers that the cuts allow; where digits end it is not told. Takes
about five minutes.
"""

import math
from dataclasses import dataclass

import numpy as np

from mlcore import paths
from mlcore.commands import command_parser, ends_with_a_sentence
from mlcore.judging.rows import Row, on_paper, rows
from mlcore.reading.bundle import open_bundle
from mlcore.reading.calibrate import DIGITS
from mlcore.reading.inference import Recogniser
from mlcore.reading.picture_numbers import regions_in
from mlcore.reading.regions import NEVER, WEIGHTS, Floats, Paths, Scorer
from mlcore.training.data import DataError, load_pen

SINGLE_EVERY = 8
"""One picture in so many has a single digit."""
HIDDEN = 32
EPOCHS = 14
BATCH = 16
RATE = 0.01
DECAY = 3e-4
MOST_LOSS = 12.0
"""A number that is less likely, in log likelihood, is mostly labelled wrongly."""
WEIGHT_OF_WRONG = 0.1


@dataclass
class Example:
    """A picture's regions, and the number in it."""

    text: str
    paths: Paths
    features: Floats
    log_digits: Floats


def examples(recogniser: Recogniser, *, number: int, seed: int) -> list[Example]:
    """Draw rows by the training writers, and look for regions in them."""
    digits = load_pen().split("train").digits
    rng = np.random.default_rng(seed)
    single = rng.integers(len(digits), size=number // SINGLE_EVERY)
    made = rows(digits, number=number - len(single), seed=seed, touch=2)
    made += [Row(digits[at].label, digits[at].strokes, touches=False) for at in single]
    found = []
    for row in made:
        regions = regions_in(recogniser, on_paper(row.strokes, rng))
        if regions is not None and len(regions.paths.pairs):
            found.append(
                Example(row.text, regions.paths, regions.features, regions.log_digits)
            )
    return found


def first_scorer(known: list[Example], rng: np.random.Generator) -> Scorer:
    """Return an untrained network that trusts the first one's digits."""
    features = np.concatenate([example.features for example in known[:500]])
    count = features.shape[1]
    return Scorer(
        mean=features.mean(axis=0, dtype=float),
        spread=features.std(axis=0, dtype=float) + 1e-3,
        hidden=rng.normal(0, 1 / math.sqrt(count), (count, HIDDEN)),
        hidden_bias=np.zeros(HIDDEN),
        out=rng.normal(0, 0.1 / math.sqrt(HIDDEN), (HIDDEN, DIGITS + 1)),
        any=np.zeros((count, 1)),
        bias=np.zeros(DIGITS),
        of_digit=np.ones(1),
        ignored=np.full(1, -3.0),
    )


TRAINED = "hidden", "hidden_bias", "out", "any", "bias", "of_digit", "ignored"


def gradient(scorer: Scorer, example: Example) -> tuple[float, dict[str, Floats]]:
    """Return the loss, minus a number's log likelihood, and its gradient.

    The gradient by a region's score is the probability that the region is that digit,
    less the same where the number is known.
    """
    given = (example.features - scorer.mean) / scorer.spread
    hidden = np.tanh(given @ scorer.hidden + scorer.hidden_bias)
    scores = scorer.scores(example.features, example.log_digits)
    ignored = float(scorer.ignored[0])
    whole, likely, left_out = _shares(example.paths, scores, ignored, None)
    known, likely_of_it, left_out_of_it = _shares(
        example.paths, scores, ignored, example.text
    )
    by_score = likely - likely_of_it
    by_any = by_score.sum(axis=1, keepdims=True)
    by_out = np.hstack([by_score, by_any])
    by_hidden = (by_out @ scorer.out.T) * (1 - hidden**2)
    return whole - known, {
        "hidden": given.T @ by_hidden,
        "hidden_bias": by_hidden.sum(axis=0),
        "out": hidden.T @ by_out,
        "any": given.T @ by_any,
        "bias": by_score.sum(axis=0),
        "of_digit": np.array([(by_score * example.log_digits).sum()]),
        "ignored": np.array([left_out - left_out_of_it]),
    }


def _shares(
    paths: Paths, scores: Floats, ignored: float, text: str | None
) -> tuple[float, Floats, float]:
    """Sum over all paths, or over those that read a text, forwards and backwards.

    Returns:
        The log likelihood of all; (R, 10) how probable it is that a region is a digit
        in them; and how many regions are ignored in the mean.
    """
    if text is None:
        steps = np.logaddexp.reduce(scores, axis=1, keepdims=True)  # one state
        shift = 0
    else:
        steps = scores[:, [int(digit) for digit in text]]
        shift = 1
    states = steps.shape[1] + shift
    left, right = paths.pairs.T
    small = np.where(paths.is_small, ignored, NEVER)[:, np.newaxis]
    forward = np.full((paths.cuts, states), NEVER)
    backward = np.full((paths.cuts, states), NEVER)
    forward[0, 0] = backward[-1, -1] = 0.0

    def into(before: Floats, of: slice | np.ndarray, move: int) -> Floats:
        """Return states one region on: move is 1 forwards, -1 backwards."""
        after = np.full_like(before, NEVER)
        if shift == 0:
            after = before + steps[of]
        elif move > 0:
            after[:, 1:] = before[:, :-1] + steps[of]
        else:
            after[:, :-1] = before[:, 1:] + steps[of]
        return np.asarray(np.logaddexp(after, before + small[of]))

    for cut in range(1, paths.cuts):
        of = np.flatnonzero(right == cut)
        if len(of):
            forward[cut] = np.logaddexp.reduce(into(forward[left[of]], of, 1), axis=0)
    for cut in range(paths.cuts - 2, -1, -1):
        of = np.flatnonzero(left == cut)
        if len(of):
            after = into(backward[right[of]], of, -1)
            backward[cut] = np.logaddexp.reduce(after, axis=0)
    total = float(forward[-1, -1])

    def share(log_likelihood: Floats) -> Floats:
        return np.exp(np.clip(log_likelihood - total, -60, 0))

    likely = np.zeros_like(scores)
    if text is None:
        likely = share(forward[left] + scores + backward[right])
    else:
        each = share(forward[left][:, :-1] + steps + backward[right][:, 1:])
        for place, digit in enumerate(text):
            likely[:, int(digit)] += each[:, place]
    left_out = share(
        np.logaddexp.reduce(forward[left] + small + backward[right], axis=1)
    )
    return total, likely, float(left_out[paths.is_small].sum())


def train(known: list[Example], *, seed: int = 0) -> Scorer:
    """Train by Adam, with a rate that falls as a cosine. Prints each epoch's loss."""
    rng = np.random.default_rng(seed)
    scorer = first_scorer(known, rng)
    means = {name: np.zeros_like(getattr(scorer, name)) for name in TRAINED}
    squares = {name: np.zeros_like(getattr(scorer, name)) for name in TRAINED}
    step = 0
    for epoch in range(EPOCHS):
        rate = RATE * (0.52 + 0.5 * math.cos(math.pi * epoch / EPOCHS))
        losses = []
        order = rng.permutation(len(known))
        for start in range(0, len(order), BATCH):
            total = {name: np.zeros_like(getattr(scorer, name)) for name in TRAINED}
            for at in order[start : start + BATCH]:
                loss, found = gradient(scorer, known[at])
                if loss > -NEVER / 2:
                    continue  # no cuts allow this number
                weight = WEIGHT_OF_WRONG if loss > MOST_LOSS else 1.0
                losses.append(min(loss, MOST_LOSS))
                for name in TRAINED:
                    total[name] += weight * found[name]
            step += 1
            for name in TRAINED:
                own = getattr(scorer, name)
                by = total[name] / BATCH + (DECAY * own if own.ndim == 2 else 0)
                means[name] = 0.9 * means[name] + 0.1 * by
                squares[name] = 0.99 * squares[name] + 0.01 * by**2
                mean = means[name] / (1 - 0.9**step)
                square = squares[name] / (1 - 0.99**step)
                own -= rate * mean / (np.sqrt(square) + 1e-6)
        print(f"Epoch {epoch + 1}: loss {np.mean(losses):.3f}", flush=True)
    return scorer


def main() -> None:
    """Train, and write the weights beside the code that reads them."""
    parser = command_parser(__doc__)
    parser.add_argument("--rows", type=int, default=1_600)
    told = parser.parse_args()
    with ends_with_a_sentence(DataError):
        recogniser = Recogniser(open_bundle(paths.STARTER_BUNDLE))
        trained = train(examples(recogniser, number=told.rows, seed=11))
    weights = {
        name: np.asarray(value, np.float32) for name, value in vars(trained).items()
    }
    np.savez_compressed(WEIGHTS, allow_pickle=False, **weights)
    print(f"{WEIGHTS}: {WEIGHTS.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
