"""The pages of the second factor: its step of signing in, setting up, removing."""

import time
from typing import cast

import segno
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django_otp import login as note_code
from django_otp.plugins.otp_totp.models import TOTPDevice

from recognizer.models import User
from recognizer.pages.forms import CodeForm, OwnPasswordForm, RecoveryCodeForm
from recognizer.pages.own_password import takes_own_password
from recognizer.people import second_factor, signing_in
from recognizer.people.sessions import end_all_sessions
from recognizer.people.sign_in_limits import limit_failures
from recognizer.people.visitors import caller_of

_SETTING_UP = "setting_up_factor"
_SECONDS = 15 * 60  # to scan and to confirm


@never_cache
@sensitive_post_parameters()
def enter_code(request: HttpRequest) -> HttpResponse:
    """Ask for the code, the second step of signing in."""
    begun = signing_in.begun(request)
    if begun is None:
        return redirect("sign-in")
    if request.method == "POST":
        return limit_failures(begun.place, _check_code, request)
    return _code_page(request, _code_form(request, begun))


@takes_own_password
def factor(request: HttpRequest) -> HttpResponse:
    """Show the second factor; set up, renew and remove with the password."""
    user = cast(User, request.user)
    is_set_up = second_factor.is_set_up(user)
    if is_set_up and not second_factor.is_proven(user):
        logout(request)  # begun before the factor was set up
        return redirect("sign-in")
    form = OwnPasswordForm(request.POST or None, user=user)
    if form.is_valid():
        action = request.POST.get("action")
        if action == "remove":
            second_factor.remove(user=user)
            end_all_sessions(user=user, but=request.session.session_key)
            messages.success(request, _("Your second factor has been removed."))
            return redirect("account")
        if action == "codes" and is_set_up:
            codes = second_factor.renew_recovery_codes(user=user)
            return _codes_page(request, codes)
        device = second_factor.begin(user=user)
        request.session[_SETTING_UP] = {"device": device.pk, "at": time.time()}
        return redirect("factor-confirm")
    shown = {
        "form": form,
        "is_set_up": is_set_up,
        "codes_left": second_factor.codes_left(user),
    }
    return render(request, "recognizer/factor.html", shown)


@never_cache
@login_required
@sensitive_post_parameters()
def confirm_factor(request: HttpRequest) -> HttpResponse:
    """Show the secret; take it into use once a code shows that an app has it."""
    user = cast(User, request.user)
    kept = request.session.get(_SETTING_UP, {"device": None, "at": 0})
    device = TOTPDevice.objects.filter(
        user=user, pk=kept["device"], confirmed=False
    ).first()
    if device is None or not 0 <= time.time() - kept["at"] < _SECONDS:
        return redirect("factor")
    form = CodeForm(
        request.POST or None,
        check=lambda code: second_factor.confirm(device=device, code=code),
    )
    if form.is_valid():
        del request.session[_SETTING_UP]
        request.session.cycle_key()
        note_code(request, device)
        end_all_sessions(user=user, but=request.session.session_key)
        return _codes_page(request, second_factor.make_recovery_codes(user=user))
    shown = {
        "form": form,
        "qr_code": _qr_code(device.config_url),
        "secret": second_factor.text_secret(device),
    }
    return render(request, "recognizer/factor_confirm.html", shown)


def _check_code(request: HttpRequest) -> HttpResponse:
    """Sign in with a right code; a redirect says that it was right."""
    begun = signing_in.begun(request)
    if begun is None:
        return redirect("sign-in")
    form = _code_form(request, begun)
    if not form.is_valid():
        return _code_page(request, form)
    signing_in.finish(request, begun, device=form.checked)
    caller_of(request)
    return redirect(begun.then)


def _code_form(request: HttpRequest, begun: signing_in.Begun) -> CodeForm:
    kind = RecoveryCodeForm if "recovery" in request.GET else CodeForm
    return kind(
        request.POST or None,
        check=lambda code: second_factor.check(user=begun.user, code=code),
    )


def _code_page(request: HttpRequest, form: CodeForm) -> HttpResponse:
    shown = {"form": form, "is_recovery": isinstance(form, RecoveryCodeForm)}
    return render(request, "recognizer/sign_in_code.html", shown)


def _codes_page(request: HttpRequest, codes: list[str]) -> HttpResponse:
    return render(request, "recognizer/factor_codes.html", {"codes": codes})


def _qr_code(url: str) -> str:
    """Draw a QR code as SVG; only its lines depend on the text."""
    drawn = segno.make(url, error="m", micro=False).svg_inline(
        border=4, dark="#000", light="#fff", omitsize=True
    )
    return str(drawn)
