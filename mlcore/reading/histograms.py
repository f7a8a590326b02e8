"""The bins in which the gate and the site count readings, to detect drift."""

BINS = 20
"""Number of bins for the confidence in [0, 1] and for the ink in [0, MOST_INK]."""
MOST_INK = 0.4
"""Largest mean of a digit image; more ink is counted in the last bin."""
