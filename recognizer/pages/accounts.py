"""The account pages: sign up, sign in, passwords, consent, and programs' tokens."""

from typing import Any, cast
from uuid import UUID

from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import (
    LoginView,
    PasswordChangeView,
    PasswordResetConfirmView,
    PasswordResetView,
)
from django.contrib.messages.views import SuccessMessageMixin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse_lazy
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from recognizer.models import Token, User
from recognizer.pages.forms import (
    EmailForm,
    ForgottenPasswordForm,
    SignUpForm,
    TokenForm,
)
from recognizer.people import tokens, visitors
from recognizer.people.sign_in_limits import (
    OWN_PASSWORD,
    SIGN_UP,
    SITE,
    limit_failures,
    refuse_too_often,
)
from recognizer.people.visitors import caller_of


class SignInView(LoginView):
    """Sign in; the browser's drawings become the user's."""

    template_name = "recognizer/sign_in.html"
    redirect_authenticated_user = True

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Sign in, unless that failed too often."""
        return limit_failures(SITE, super().post, request)

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """Sign in, and make the browser's visitor the user's."""
        response = super().form_valid(form)
        caller_of(self.request)
        return response


@sensitive_post_parameters()
@never_cache
def sign_up(request: HttpRequest) -> HttpResponse:
    """Create a user and sign them in."""
    if request.method == "POST" and (refused := refuse_too_often(request, SIGN_UP)):
        return refused
    form = SignUpForm(request.POST or None)
    if form.is_valid():
        login(request, form.save())
        caller_of(request)
        return redirect("account")
    return render(request, "recognizer/sign_up.html", {"form": form})


class ForgottenPasswordView(PasswordResetView):
    """Send a link to the address, if an account has it; say the same if none has."""

    form_class = ForgottenPasswordForm
    template_name = "recognizer/password_forgotten.html"
    subject_template_name = "recognizer/mail/new_password_subject.txt"
    email_template_name = "recognizer/mail/new_password.txt"
    success_url = reverse_lazy("password-reset-sent")


class NewPasswordView(SuccessMessageMixin, PasswordResetConfirmView):
    """Set a new password for a user who followed the link in the mail."""

    template_name = "recognizer/password_new.html"
    success_url = reverse_lazy("sign-in")
    success_message = _("Your new password is set. Sign in with it.")


class ChangePasswordView(SuccessMessageMixin, PasswordChangeView):
    """Set a new password for a user who knows the current one."""

    template_name = "recognizer/password_change.html"
    success_url = reverse_lazy("account")
    success_message = _(
        "Your password has been changed. You need to sign in again in other browsers."
    )

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Change the password, unless there were too many attempts."""
        refused = refuse_too_often(request, OWN_PASSWORD)
        return refused or super().post(request, *args, **kwargs)


@never_cache
@login_required
@sensitive_post_parameters()
def change_email(request: HttpRequest) -> HttpResponse:
    """Change or remove the email address of a user who knows the password."""
    user = cast(User, request.user)
    if request.method == "POST" and (
        refused := refuse_too_often(request, OWN_PASSWORD)
    ):
        return refused
    form = EmailForm(request.POST or None, instance=user)
    if form.is_valid():
        user.save(update_fields=["email"])
        messages.success(request, _("Your email address has been saved."))
        return redirect("account")
    return render(request, "recognizer/email.html", {"form": form})


@never_cache
@login_required
@require_safe
def account(request: HttpRequest) -> HttpResponse:
    """Show who is signed in, their consent and their tokens."""
    return _account_page(request)


@login_required
@require_POST
def set_consent(request: HttpRequest) -> HttpResponse:
    """Store whether the user's drawings may be used for training."""
    caller = caller_of(request)
    visitors.set_consent(
        visitors=caller.visitors,
        user=caller.user,
        may_train="may_train" in request.POST,
    )
    return redirect("account")


@never_cache
@login_required
@require_POST
def make_token(request: HttpRequest) -> HttpResponse:
    """Make a token and show its text once; the text is not stored."""
    form = TokenForm(request.POST, may_review=caller_of(request).may_review)
    if not form.is_valid():
        return _account_page(request, form=form, status=400)
    _, text = tokens.make_token(
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
    tokens.revoke_token(token=token)
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
