"""Who may keep a page: nobody between us and the visitor whose page it is."""

from collections.abc import Callable

from django.http import HttpResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.vary import vary_on_cookie

_View = Callable[..., HttpResponse]


def ones_own(view: _View) -> _View:
    """Keep a page out of shared caches, and ask anew each time it is shown."""
    private = cache_control(private=True, no_cache=True)
    return private(vary_on_cookie(view))
