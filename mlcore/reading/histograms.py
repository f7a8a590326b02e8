"""The bins in which the gate and the site count readings, so that drift is seen."""

BINS = 20
"""Of the confidence in [0, 1], and of the ink in [0, MOST_INK]."""
MOST_INK = 0.4
"""Mean of a digit image; more falls into the last bin."""
