"""Fill Markdown templates with figures, by Jinja."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape


def render(template: Path, **context: object) -> str:
    """Fill a Markdown template, with the filters `percent`, `spread` and `fixed`."""
    environment = Environment(
        loader=FileSystemLoader(template.parent),
        autoescape=select_autoescape(),  # HTML only
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(percent=percent, spread=spread, fixed=fixed)
    return environment.get_template(template.name).render(context)


def table(head: Sequence[object], rows: Sequence[Sequence[object]]) -> str:
    """Write a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines) + "\n"


def percent(share: float | None, digits: int = 2) -> str:
    """Write a share in percent."""
    return "none" if share is None else f"{100 * share:.{digits}f} %"


def fixed(value: float, digits: int = 0) -> str:
    """Write a number with `digits` decimals and thousands separators."""
    return f"{value:,.{digits}f}"


def spread(values: Sequence[float], show: Callable[[float], str] = percent) -> str:
    """Write mean and standard deviation over seeds."""
    mean = show(float(np.mean(values)))
    if len(values) == 1:
        return f"{mean} (one seed)"
    deviation = show(float(np.std(values, ddof=1)))
    return f"{mean} ± {deviation.removesuffix(' %')}"
