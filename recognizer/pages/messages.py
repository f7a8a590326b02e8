"""The messages of the pages' scripts, and their translations."""

from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_noop as _

PHRASES = (
    _("%(share)s confident"),
    _("%(share)s digit-like"),
    _("Barely a digit."),
    _("Digit %(place)s is"),
    _("Digit %(place)s of %(number)s: %(digit)s"),
    _("Frame: left %(left)s, top %(top)s, right %(right)s, bottom %(bottom)s"),
    _(
        "HEIC, an iPhone format, cannot be read by this browser. Save the photo as "
        "JPEG, or send a screenshot of it."
    ),
    _("If it is one, %(digit)s."),
    _("Is it %(digit)s?"),
    _("It is"),
    _("We will try again."),
    _("Looks like %(digit)s, %(share)s confident."),
    _("Looks like %(digit)s, %(share)s confident; %(second)s."),
    _("No connection to the server. %(reassurance)s"),
    _("No, it is"),
    _("Only the server reads numbers, and there is no connection to it."),
    _("Only the server reads numbers. Turn off “Keep nothing” to send this one."),
    _("Pen down, column %(column)s, row %(row)s of 14"),
    _("Pen up, column %(column)s, row %(row)s of 14"),
    _("Only the server can read pictures. Turn off “Keep nothing” to send this one."),
    _("Red ink supports %(digit)s, blue ink speaks against it."),
    _("Thank you. Saved as %(digit)s."),
    _("Thank you. Saved as not a digit."),
    _("Thank you. Saved as correct."),
    _("Touch the wrong digit, or it is"),
    _("The server is busy. %(reassurance)s"),
    _("The server has a problem. %(reassurance)s"),
    _("There are several shapes: draw one digit, or crop the picture to one."),
    _("There is nothing to read. Draw a digit from 0 to 9."),
    _(
        "This browser blocks the site's cookies, so nothing is saved. You can still "
        "draw."
    ),
    _(
        "This page cannot read by itself yet. Turn off “Keep nothing” to let the "
        "server read."
    ),
    _("This could be %(first)s or %(second)s. Draw it a little more clearly."),
    _("This does not look like a digit from 0 to 9."),
    _("This drawing was deleted."),
    _("This is a PDF. Send a photo or a screenshot of it."),
    _("This file cannot be opened. Use a PNG, JPEG, WebP, GIF or BMP picture."),
    _(
        "To prevent tracking, this browser does not let pages crop, turn or shrink "
        "pictures. Choose one of at most 7 MB and save it as it is."
    ),
    _("What did you draw?"),
    _("Your answer could not be saved. Please try again."),
    _(
        "You have signed out or in since this page was opened. Sign in again to save "
        "this drawing, or reload the page."
    ),
    _("Your answer is safe in this tab and will be sent again."),
    _("Your answer is safe on this device and will be sent again."),
    _("Your drawing is safe in this tab and will be sent again."),
    _("Your drawing is safe on this device and will be sent again."),
    _("nothing else comes close"),
    _("or maybe %(digit)s, %(share)s"),
    _("over %(share)s"),
    _("under %(share)s"),
)
"""Messages of the modules in static/recognizer/js; a test compares the two."""


def translated_phrases() -> dict[str, str]:
    """Return each message's translation; nothing if the page is in English."""
    if (get_language() or "en").startswith("en"):
        return {}
    return {phrase: gettext(phrase) for phrase in PHRASES}
