"""A second factor at sign-in: codes of an authenticator app, and recovery codes.

django-otp stores the factors, checks codes, slows guessing down and marks the sessions
that have given one. This module sets factors up, removes them and tells their owners.
"""

import base64
import hashlib
import secrets
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy, ngettext
from django_otp.models import Device
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from recognizer.models import AuditEntry, User
from recognizer.people import mail
from recognizer.people.security_log import note
from recognizer.people.sessions import end_all_sessions

RECOVERY_CODES = 10
_CODE_BYTES = 15  # 120 random bits: so many need no slow hash
_GROUP = 6  # letters between hyphens
_NAME = "app"

_TOLD = {
    "set up": gettext_lazy("A second factor has been set up for your account."),
    "codes": gettext_lazy("New recovery codes have been created for your account."),
    "removed": gettext_lazy("The second factor of your account has been removed."),
}


class TooManyCodesError(RuntimeError):
    """Wrong codes came too fast. wait_s: how long the next one has to wait."""

    def __init__(self, *, wait_s: int) -> None:
        super().__init__(wait_s)
        self.wait_s = wait_s


def is_set_up(user: User) -> bool:
    """Return whether signing in asks this user for a code."""
    return bool(TOTPDevice.objects.filter(user=user, confirmed=True).exists())


def is_proven(user: User) -> bool:
    """Return whether the user of a session may do what only staff may do.

    The session has given a code, or none is needed. `OTPMiddleware` knows.
    """
    if getattr(user, "otp_device", None) is not None:
        return True
    return not settings.STAFF_NEED_FACTOR and not is_set_up(user)


def codes_left(user: User) -> int:
    """Return how many recovery codes are unused."""
    return int(StaticToken.objects.filter(device__user=user).count())


def begin(*, user: User) -> TOTPDevice:
    """Make a secret for an authenticator app; it counts once it is confirmed."""
    TOTPDevice.objects.filter(user=user, confirmed=False).delete()
    return TOTPDevice.objects.create(user=user, name=_NAME, confirmed=False)


def text_secret(device: TOTPDevice) -> str:
    """Return the secret in letters and digits, for those who cannot scan."""
    text = base64.b32encode(device.bin_key).decode()
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def confirm(*, device: TOTPDevice, code: str) -> bool:
    """Take a secret into use if the code shows that an app has it.

    It replaces the former one.

    Raises:
        TooManyCodesError: wrong codes came too fast.
    """
    if not _verified(TOTPDevice.objects.filter(pk=device.pk), _tidy(code)):
        return False
    with transaction.atomic():
        TOTPDevice.objects.filter(user=device.user).exclude(pk=device.pk).delete()
        TOTPDevice.objects.filter(pk=device.pk).update(confirmed=True)
    note("second factor set up", user=device.user_id)
    mail.tell_of(_TOLD["set up"], user=device.user)
    return True


def make_recovery_codes(*, user: User) -> list[str]:
    """Replace a user's recovery codes; their text is returned only here."""
    codes = [_random_code() for _ in range(RECOVERY_CODES)]
    with transaction.atomic():
        device, _ = StaticDevice.objects.get_or_create(user=user, name=_NAME)
        device.token_set.all().delete()
        StaticToken.objects.bulk_create(
            StaticToken(device=device, token=_digest(_tidy(code))) for code in codes
        )
    return codes


def renew_recovery_codes(*, user: User) -> list[str]:
    """Make new recovery codes for a user who asks for them, and tell of it."""
    codes = make_recovery_codes(user=user)
    note("recovery codes made", user=user.pk)
    mail.tell_of(_TOLD["codes"], user=user)
    return codes


def check(*, user: User, code: str) -> Device | None:
    """Return the factor that a code proves; None if the code is wrong.

    A code works once.

    Raises:
        TooManyCodesError: wrong codes came too fast.
    """
    text = _tidy(code)
    if text.isascii() and text.isdecimal():
        return _verified(TOTPDevice.objects.filter(user=user, confirmed=True), text)
    device = _verified(StaticDevice.objects.filter(user=user), _digest(text))
    if device is not None:
        left = codes_left(user)
        note("recovery code used", user=user.pk, left=left)
        mail.tell_of(
            ngettext(
                "A recovery code was used to sign in. %(left)d is left.",
                "A recovery code was used to sign in. %(left)d are left.",
                left,
            )
            % {"left": left},
            user=user,
        )
    return device


def remove(*, user: User) -> None:
    """Remove a user's second factor; the user asked for it."""
    _delete(user)
    note("second factor removed", user=user.pk, by="its owner")


def remove_lost(*, user: User, reason: str) -> bool:
    """Remove a factor that its owner has lost; return whether there was one.

    An operator does this. It is in the audit log.
    """
    if not is_set_up(user):
        return False
    with transaction.atomic():
        AuditEntry.objects.create(
            action=AuditEntry.Action.FACTOR,
            subject=str(user.erasure_id),
            reason=reason,
        )
        _delete(user)
    end_all_sessions(user=user)
    note("second factor removed", user=user.pk, by="an operator")
    return True


def _delete(user: User) -> None:
    TOTPDevice.objects.filter(user=user).delete()
    StaticDevice.objects.filter(user=user).delete()
    mail.tell_of(_TOLD["removed"], user=user)


def _verified(devices: QuerySet[Device], code: str) -> Device | None:
    """Check a code with the row locked: of two requests with one code, one passes."""
    with transaction.atomic():
        device = devices.select_for_update().first()
        if device is None:
            return None
        is_allowed, why = device.verify_is_allowed()
        if is_allowed:
            return device if device.verify_token(code) else None
    raise TooManyCodesError(wait_s=_seconds_until(why["locked_until"]))


def _seconds_until(moment: datetime) -> int:
    return max(1, round((moment - timezone.now()).total_seconds()))


def _random_code() -> str:
    text = base64.b32encode(secrets.token_bytes(_CODE_BYTES)).decode().lower()
    starts = range(0, len(text), _GROUP)
    return "-".join(text[start : start + _GROUP] for start in starts)


def _tidy(code: str) -> str:
    return "".join(code.replace("-", "").split()).lower()


def _digest(code: str) -> str:
    """Return what is stored of a recovery code: 96 bits, as a row has room for."""
    digest = hashlib.sha256(code.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode()[:16]
