"""Template filters that format numbers in the visitor's language."""

import math
from datetime import timedelta

from django import template
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

register = template.Library()


@register.filter
def percent(probability: float, off_the_scale: str = "words") -> str:
    """Format a probability, but never as 0 % or 100 %, as `reading_view.js` does.

    off_the_scale: how to write "over" and "under" near 1 and 0: "words" or "signs".
    """
    by_signs = off_the_scale == "signs"
    if probability >= 0.9995:
        most = share(0.999, 1)
        return f">\u2009{most}" if by_signs else _("over %(share)s") % {"share": most}
    if probability < 0.0005:
        least = share(0.001, 1)
        return (
            f"<\u2009{least}" if by_signs else _("under %(share)s") % {"share": least}
        )
    is_near_the_ends = probability >= 0.99 or probability < 0.01
    return share(probability, 1 if is_near_the_ends else 0)


@register.filter
def share(value: float, decimals: int = 2) -> str:
    """Format a share in percent."""
    # Rounded here, because Django's formatting truncates.
    written = number_format(round(value * 100, decimals), decimal_pos=decimals)
    return f"{written}\u00a0%"  # in English and in German


@register.filter
def error(value: float) -> str:
    """Format an axis label with the decimals it needs, such as 0.5 %."""
    # 1e-9 makes up for rounding errors at powers of ten.
    return share(value, max(0, -math.floor(math.log10(100 * value) + 1e-9)))


@register.filter
def points(difference: float) -> str:
    """Format a difference of shares in percentage points, without the unit."""
    return number(100 * difference, 2)


@register.filter
def number(value: float, decimals: int = 0) -> str:
    """Format a number with thousands separators."""
    rounded = round(value, decimals) if decimals else round(value)
    return number_format(rounded, decimal_pos=decimals, force_grouping=True)


@register.filter
def lasting(time: timedelta) -> str:
    """Format a duration in whole minutes, at least one."""
    minutes = max(1, round(time / timedelta(minutes=1)))
    return ngettext("%(minutes)s minute", "%(minutes)s minutes", minutes) % {
        "minutes": minutes
    }
