"""The account pages: sign up, sign in, passwords, consent, and programs' tokens."""

from typing import Any, cast
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login, logout
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import (
    AuthenticationForm,
    PasswordChangeForm,
    SetPasswordForm,
)
from django.contrib.auth.views import (
    LoginView,
    LogoutView,
    PasswordChangeView,
    PasswordResetConfirmView,
    PasswordResetView,
)
from django.contrib.messages.views import SuccessMessageMixin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse_lazy
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from recognizer.models import Token, User
from recognizer.pages.forms import (
    EmailForm,
    EndSessionsForm,
    ForgottenPasswordForm,
    OwnPasswordForm,
    SignUpForm,
    TokenForm,
)
from recognizer.pages.own_password import takes_own_password
from recognizer.people import (
    erasing,
    mail,
    second_factor,
    sessions,
    signing_in,
    tokens,
    visitors,
)
from recognizer.people.security_log import note
from recognizer.people.sign_in_limits import (
    SIGN_UP,
    SITE,
    has_failed_as_staff,
    limit_failures,
    refuse_too_often,
)
from recognizer.people.visitors import benchmarks_with, caller_of

_CHANGED = {
    "password": _("Your password has been changed."),
    "email": _("Your email address has been changed."),
}
_CACHED = '"cache"'  # of Clear-Site-Data; "storage" would drop drawings not yet sent


class SignInView(LoginView):
    """Sign in; the browser's drawings become the user's."""

    template_name = "recognizer/sign_in.html"
    redirect_authenticated_user = True

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Sign in, unless that failed too often."""
        return limit_failures(SITE, super().post, request)

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """Sign in and make the browser's visitor the user's, or go on to the code."""
        user = form.get_user()
        if user.is_staff and has_failed_as_staff(self.request):
            form.add_error(None, form.get_invalid_login_error())
            return self.form_invalid(form)
        if second_factor.is_set_up(user):
            then = self.get_success_url()
            signing_in.await_code(self.request, user=user, place=SITE, then=then)
            return redirect("sign-in-code")
        response = super().form_valid(form)
        note("signed in", request=self.request, user=user.pk, place=SITE)
        caller_of(self.request)
        return response


class SignOutView(LogoutView):
    """Sign out; the browser forgets the pages and pictures it has cached."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Sign out."""
        note("signed out", request=request, user=request.user.pk)
        response = super().post(request, *args, **kwargs)
        response["Clear-Site-Data"] = _CACHED
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
        note("signed up", request=request, user=request.user.pk)
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

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Say so if the site has no mail server."""
        if not settings.SENDS_MAIL:
            return render(request, self.template_name, {"sends_no_mail": True})
        return super().dispatch(request, *args, **kwargs)


class NewPasswordView(SuccessMessageMixin, PasswordResetConfirmView):
    """Set a new password for a user who followed the link in the mail."""

    template_name = "recognizer/password_new.html"
    success_url = reverse_lazy("sign-in")
    success_message = _("Your new password is set. Sign in with it.")

    def form_valid(self, form: SetPasswordForm) -> HttpResponse:
        """Set the password, and end what others may have made with the former one."""
        response = super().form_valid(form)
        user = cast(User, form.user)
        note("password reset", request=self.request, user=user.pk)
        tokens.revoke_all(user=user)
        sessions.forget_ended(user=user)
        mail.tell_of(_CHANGED["password"], user=user)
        return response


@method_decorator(takes_own_password, name="dispatch")
class ChangePasswordView(SuccessMessageMixin, PasswordChangeView):
    """Set a new password for a user who knows the current one."""

    template_name = "recognizer/password_change.html"
    success_url = reverse_lazy("account")
    success_message = _(
        "Your password has been changed. You need to sign in again in other browsers."
    )

    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        """Change the password, sign other browsers out, and tell the owner."""
        response = super().form_valid(form)
        user = cast(User, self.request.user)
        note("password changed", request=self.request, user=user.pk)
        sessions.forget_ended(user=user, but=self.request.session.session_key)
        mail.tell_of(_CHANGED["password"], user=user)
        return response


@takes_own_password
def change_email(request: HttpRequest) -> HttpResponse:
    """Change or remove the email address of a user who knows the password."""
    user = cast(User, request.user)
    form = EmailForm(request.POST or None, instance=user)
    if form.is_valid():
        former = User.objects.get(pk=user.pk)
        user.save(update_fields=["email"])
        note("email changed", request=request, user=user.pk)
        mail.tell_of(_CHANGED["email"], user=former)
        messages.success(request, _("Your email address has been saved."))
        return redirect("account")
    return render(request, "recognizer/email.html", {"form": form})


@takes_own_password
def delete_account(request: HttpRequest) -> HttpResponse:
    """Delete the account of a user who knows the password, with all drawings."""
    user = cast(User, request.user)
    form = OwnPasswordForm(request.POST or None, user=user)
    if form.is_valid():
        try:
            erasing.delete_account(user=user)
        except erasing.LastAdministratorError:
            form.add_error(None, _("Make somebody else an administrator first."))
        else:
            logout(request)
            messages.success(
                request, _("Your account and all your drawings have been deleted.")
            )
            response = redirect("draw")
            visitors.forget_visitor(response)
            response["Clear-Site-Data"] = _CACHED
            return response
    return render(request, "recognizer/account_delete.html", {"form": form})


@takes_own_password
def end_sessions(request: HttpRequest) -> HttpResponse:
    """Sign other browsers out for a user who knows the password."""
    user = cast(User, request.user)
    here = request.session.session_key
    others = sessions.sessions_of(user).exclude(session=here)
    form = EndSessionsForm(request.POST or None, user=user, others=others)
    if form.is_valid():
        chosen = form.cleaned_data["sessions"]
        if len(chosen) == len(others):
            sessions.end_all_sessions(user=user, but=here)
        else:
            sessions.end_sessions(user=user, sessions=chosen)
        messages.success(request, _("The browsers you chose have been signed out."))
        return redirect("account")
    return render(request, "recognizer/sessions.html", {"form": form, "others": others})


@never_cache
@login_required
@require_safe
def account(request: HttpRequest) -> HttpResponse:
    """Show who is signed in, their consent and their tokens."""
    return _account_page(request)


@login_required
@require_POST
def set_consent(request: HttpRequest) -> HttpResponse:
    """Store what the user's drawings may be used for."""
    caller = caller_of(request)
    visitors.set_consent(
        visitors=caller.visitors,
        user=caller.user,
        given=visitors.consents_in(request.POST),
    )
    return redirect("account")


@takes_own_password
@require_POST
def make_token(request: HttpRequest) -> HttpResponse:
    """Make a token for a user who knows the password, and show its text once."""
    user = cast(User, request.user)
    may_review = caller_of(request).may_review
    form = TokenForm(request.POST, user=user, may_review=may_review)
    if not form.is_valid():
        return _account_page(request, form=form, status=400)
    _, text = tokens.make_token(
        user=user,
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
        "benchmarks": benchmarks_with(caller.visitors),
        "tokens": Token.objects.filter(user=caller.user).order_by("-pk"),
        "form": form
        or TokenForm(user=cast(User, request.user), may_review=caller.may_review),
        "token_text": token_text,
        "has_factor": second_factor.is_set_up(cast(User, request.user)),
        "sessions": sessions.sessions_of(cast(User, request.user)),
        "this_session": request.session.session_key,
        "now": timezone.now(),
    }
    return render(request, "recognizer/account.html", shown, status=status)
