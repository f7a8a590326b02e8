"""The words of a gate's report in the reader's language.

A report is JSON with English names: see `mlcore.judging.gate`.
"""

import re

from django.utils.translation import gettext, gettext_noop

from recognizer.learning.evaluation import NAMES

WORDS = {
    "MNIST validation": gettext_noop("MNIST validation"),
    "calibration writers": gettext_noop("calibration writers"),
    "earlier hold-outs": gettext_noop("earlier hold-outs"),
    "new hold-out": gettext_noop("new hold-out"),
    "reviewed numbers": gettext_noop("reviewed numbers"),
    "reviewed numbers, so few that only a large loss shows": gettext_noop(
        "reviewed numbers, so few that only a large loss shows"
    ),
    "all held-out people": gettext_noop("all held-out people"),
    "the snapshot's labels": gettext_noop("the snapshot's labels"),
    "made non-digits": gettext_noop("made non-digits"),
    "letters, symbols, sketches": gettext_noop("letters, symbols, sketches"),
    "changed drawings, all": gettext_noop("changed drawings, all"),
    "a blot in a corner": gettext_noop("a blot in a corner"),
    "upper left": gettext_noop("upper left"),
    "upper right": gettext_noop("upper right"),
    "lower left": gettext_noop("lower left"),
    "lower right": gettext_noop("lower right"),
    "digits in scenes, answered": gettext_noop("digits in scenes, answered"),
    "scenes and empty pictures": gettext_noop("scenes and empty pictures"),
    "speed": gettext_noop("speed"),
    "read right": gettext_noop("read right"),
    "Brier score": gettext_noop("Brier score"),
    "refused": gettext_noop("refused"),
    "calibration error": gettext_noop("calibration error"),
    "surely contradicted, on one person's word": gettext_noop(
        "surely contradicted, on one person's word"
    ),
    "taken for a digit": gettext_noop("taken for a digit"),
    "answered wrong": gettext_noop("answered wrong"),
    "microseconds a reading": gettext_noop("microseconds a reading"),
    "more, beyond chance": gettext_noop("more, beyond chance"),
}
SENTENCES = (
    (
        r"(?P<name>.+), the digit it minds most: (?P<digit>\d)",
        gettext_noop("%(name)s, the digit it minds most: %(digit)s"),
    ),
    (
        r"the change it minds most: (?P<change>.+)",
        gettext_noop("the change it minds most: %(change)s"),
    ),
    (
        r"the blot it minds most: (?P<side>\d+) px in the (?P<corner>.+)",
        gettext_noop("the blot it minds most: %(side)s px in the %(corner)s"),
    ),
    (
        r"(?P<lost>\d+) drawings \((?P<share>[\d.]+)%\) fewer, and no certain loss "
        r"\(chance under (?P<chance>[\d.]+)%\)",
        gettext_noop(
            "%(lost)s drawings (%(share)s %%) fewer, and no certain loss (chance under "
            "%(chance)s %%)"
        ),
    ),
    (
        r"more, beyond chance \(under (?P<chance>[\d.]+)%\)",
        gettext_noop("more, beyond chance (under %(chance)s %%)"),
    ),
    (
        r"better, beyond chance \(under (?P<chance>[\d.]+)%\), and no fewer read right",
        gettext_noop(
            "better, beyond chance (under %(chance)s %%), and no fewer read right"
        ),
    ),
    (r"(?P<share>[\d.]+)% more", gettext_noop("%(share)s %% more")),
    (
        r"(?P<number>\d+) \((?P<share>[\d.]+)%\) by the incumbent",
        gettext_noop("%(number)s (%(share)s %%) by the active model"),
    ),
    (r"(?P<times>[\d.]+) times as long", gettext_noop("%(times)s times as long")),
)
"""Patterns of sentences, and their messages."""


def in_words(text: str) -> str:
    """Translate a name, a metric or a limit of a report; others stay as they are."""
    if known := WORDS.get(text) or NAMES.get(text):
        return gettext(known)
    for pattern, message in SENTENCES:
        if found := re.fullmatch(pattern, text):
            parts = {name: in_words(part) for name, part in found.groupdict().items()}
            return gettext(message) % parts
    return text
