"""The account pages: sign up, sign in, consent, and the tokens of programs."""

from typing import cast
from uuid import UUID

from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from recognizer import services
from recognizer.forms import SignUpForm, TokenForm
from recognizer.models import Token
from recognizer.visitors import caller_of


class SignInView(LoginView):
    """Sign in; the browser's drawings become the user's."""

    template_name = "recognizer/sign_in.html"
    redirect_authenticated_user = True

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """Sign in, and note whose the browser's visitor is now."""
        response = super().form_valid(form)
        caller_of(self.request)
        return response


@sensitive_post_parameters()
@never_cache
def sign_up(request: HttpRequest) -> HttpResponse:
    """Make a user, who is signed in at once."""
    form = SignUpForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        login(request, form.save())
        caller_of(request)
        return redirect("account")
    return render(request, "recognizer/sign_up.html", {"form": form})


@never_cache
@login_required
@require_safe
def account(request: HttpRequest) -> HttpResponse:
    """Show who is signed in, their consent and their tokens."""
    return _account_page(request)


@login_required
@require_POST
def set_consent(request: HttpRequest) -> HttpResponse:
    """Note whether the user's drawings may train models."""
    caller = caller_of(request)
    services.set_consent(
        visitors=caller.visitors,
        user=caller.user,
        may_train="may_train" in request.POST,
    )
    return redirect("account")


@never_cache
@login_required
@require_POST
def make_token(request: HttpRequest) -> HttpResponse:
    """Make a token and show its text, this once: it is kept nowhere."""
    form = TokenForm(request.POST, may_review=caller_of(request).may_review)
    if not form.is_valid():
        return _account_page(request, form=form, status=400)
    _, text = services.make_token(
        user=cast(User, request.user),
        name=form.cleaned_data["name"],
        scopes=form.cleaned_data["scopes"],
        expires_at=form.expires_at,
    )
    return _account_page(request, token_text=text)


@login_required
@require_POST
def revoke_token(request: HttpRequest, token_id: UUID) -> HttpResponse:
    """Revoke one of the user's tokens."""
    token = get_object_or_404(Token, pk=token_id, user=cast(User, request.user))
    services.revoke_token(token=token)
    return redirect("account")


def _account_page(
    request: HttpRequest,
    *,
    form: TokenForm | None = None,
    token_text: str = "",
    status: int = 200,
) -> HttpResponse:
    caller = caller_of(request)
    shown = {
        "caller": caller,
        "tokens": Token.objects.filter(user=caller.user).order_by("-pk"),
        "form": form or TokenForm(may_review=caller.may_review),
        "token_text": token_text,
        "now": timezone.now(),
    }
    return render(request, "recognizer/account.html", shown, status=status)
