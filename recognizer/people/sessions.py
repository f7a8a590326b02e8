"""Where a user is signed in, and ending that.

Django's sessions do not say whose they are. A row beside each says it, with the browser
in words and the last use; sessions without such a row are found by looking into all.
"""

import re
from collections.abc import Collection

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.db import DatabaseError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.crypto import salted_hmac
from redis.exceptions import RedisError

from recognizer.models import BrowserSession, User
from recognizer.people.security_log import note
from recognizer.people.signing_in import AWAITS_CODE

_PRECISION_S = 300
# The first that matches: Chromium's relatives name Chrome and Safari as well.
_BROWSERS = {
    r"Edg\w*/": "Edge",
    r"OPR/": "Opera",
    r"SamsungBrowser/": "Samsung Internet",
    r"Firefox/|FxiOS/": "Firefox",
    r"Chrome/|CriOS/": "Chrome",
    r"Safari/": "Safari",
}
_SYSTEMS = {
    r"iPhone": "iPhone",
    r"iPad": "iPad",
    r"Android": "Android",
    r"Windows": "Windows",
    r"Mac OS X": "macOS",
    r"CrOS": "ChromeOS",
    r"Linux": "Linux",
}


def sessions_of(user: User) -> QuerySet[BrowserSession]:
    """Return where a user is signed in, the latest use first."""
    rows = BrowserSession.objects.filter(user=user)
    return rows.filter(session__expire_date__gt=timezone.now()).order_by("-used_at")


def note_use(*, user: User, session_key: str, user_agent: str) -> None:
    """Store that a session is being used, at most every five minutes.

    If that fails, the response is worth more than the note.
    """
    name = salted_hmac(__name__, session_key).hexdigest()
    try:
        if not cache.add(f"session-use:{name}", 1, timeout=_PRECISION_S):
            return
        with transaction.atomic():
            BrowserSession.objects.update_or_create(
                session_id=session_key,
                defaults={
                    "user": user,
                    "browser": _first_match(_BROWSERS, user_agent),
                    "system": _first_match(_SYSTEMS, user_agent),
                    "used_at": timezone.now(),
                },
            )
    except (RedisError, DatabaseError):
        return


def end_sessions(*, user: User, sessions: Collection[BrowserSession]) -> None:
    """Sign browsers out."""
    keys = [one.session_id for one in sessions if one.user_id == user.pk]
    Session.objects.filter(pk__in=keys).delete()
    note("sessions ended", user=user.pk, number=len(keys))


def forget_ended(*, user: User, but: str | None = None) -> None:
    """Delete the listed sessions of a user whose new password has ended them.

    Args:
        but: the key of the session that has the new password.
    """
    listed = BrowserSession.objects.filter(user=user).exclude(session_id=but or "")
    Session.objects.filter(pk__in=listed.values("session_id")).delete()


def end_all_sessions(*, user: User, but: str | None = None) -> None:
    """Sign a user out everywhere.

    A session signed with another key cannot be read. It may be theirs, so it goes too.

    Args:
        but: the key of the session that stays.
    """
    ended = []
    for session in Session.objects.exclude(pk=but or "").iterator():
        content = session.get_decoded()
        awaits_code = content.get(AWAITS_CODE, {}).get("user") == user.pk
        is_theirs = content.get(SESSION_KEY) == str(user.pk) or awaits_code
        if is_theirs or not content:
            ended.append(session.pk)
    Session.objects.filter(pk__in=ended).delete()
    note("sessions ended", user=user.pk, number=len(ended))


def _first_match(names: dict[str, str], user_agent: str) -> str:
    found = (name for pattern, name in names.items() if re.search(pattern, user_agent))
    return next(found, "")
