"""Pages that ask signed-in users for their password again."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from recognizer.people.sign_in_limits import OWN_PASSWORD, refuse_too_often

View = Callable[..., HttpResponseBase]


def takes_own_password(view: View) -> View:
    """Require sign-in, limit tries, and keep the page out of caches and reports."""

    @wraps(view)
    def limited(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method == "POST" and (
            refused := refuse_too_often(request, OWN_PASSWORD)
        ):
            return refused
        return view(request, *args, **kwargs)

    return never_cache(login_required(sensitive_post_parameters()(limited)))
