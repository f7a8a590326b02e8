"""Cache headers for pages that differ for each visitor."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.vary import vary_on_cookie

from recognizer.people.visitors import rename_cookie

_View = Callable[..., HttpResponse]


def ones_own(view: _View) -> _View:
    """Keep a page out of shared caches, and let browsers revalidate it each time."""
    private = cache_control(private=True, no_cache=True)

    @wraps(view)
    def with_cookie(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = view(request, *args, **kwargs)
        rename_cookie(request, response)
        return response

    return private(vary_on_cookie(with_cookie))
