"""Cache headers for pages that differ for each visitor."""

from collections.abc import Callable

from django.http import HttpResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.vary import vary_on_cookie

_View = Callable[..., HttpResponse]


def ones_own(view: _View) -> _View:
    """Keep a page out of shared caches, and let browsers revalidate it each time."""
    private = cache_control(private=True, no_cache=True)
    return private(vary_on_cookie(view))
