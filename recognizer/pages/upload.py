"""The upload page for a picture; it works without JavaScript too."""

import math
from functools import partial

from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from recognizer.drawings.submitting import submit_drawing
from recognizer.models import Submission
from recognizer.people.limits import QuotaError, charge_storage, count_calls
from recognizer.people.visitors import caller_of, remember_visitor
from recognizer.reader.drawing import DrawingError, Expected
from recognizer.reader.pictures import picture_from_bytes


class PictureForm(forms.Form):
    """One picture file."""

    picture = forms.FileField(
        label=_("Picture of a digit or number"),
        help_text=_(
            "PNG, JPEG, WebP, GIF or BMP, up to 10 MB. Dark on light or light on dark."
        ),
        widget=forms.FileInput(
            attrs={"accept": "image/png,image/jpeg,image/webp,image/gif,image/bmp"}
        ),
    )


_OF_ANOTHER_TYPE = _(
    "This file is of type %(kind)s. Use a PNG, JPEG, WebP, GIF or BMP picture."
)
_PROBLEMS = {
    "not_an_image": _("This file is not a PNG, JPEG, WebP, GIF or BMP picture."),
    "too_many_pixels": _("The picture has too many pixels. Make it smaller."),
    "too_costly": _(
        "The picture takes too long to decode. Save it as a plain PNG or JPEG and "
        "upload that."
    ),
    "damaged_image": _(
        "The picture is damaged or incomplete. Save it again and upload the new file."
    ),
}
"""Messages for the API's error codes, for translation."""


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def upload(request: HttpRequest) -> HttpResponse:
    """Show the form; read and store a picture that was sent, and go to its page."""
    if request.method != "POST":
        return _page(request, PictureForm())
    form = PictureForm(request.POST, request.FILES)
    if not form.is_valid():
        return _page(request, form, status=400)
    caller = caller_of(request)
    try:
        drawing = picture_from_bytes(
            form.cleaned_data["picture"].read(),
            expected=Expected("auto"),
            pay=partial(_pay_for, request),
        )
        submission = submit_drawing(
            drawing=drawing,
            visitor=caller.visitor,
            user=caller.user,
            source=Submission.Source.UPLOAD,
            charge=partial(charge_storage, request),
        )
    except DrawingError as error:
        form.add_error("picture", _problem(error))
        return _page(request, form, status=400)
    except (_TooOftenError, QuotaError) as error:
        form.add_error("picture", _too_many(error.wait_s))
        response = _page(request, form, status=429)
        response["Retry-After"] = str(error.wait_s)
        return response
    response = redirect("drawing", submission.pk)
    if caller.key is None:
        remember_visitor(response, submission.visitor)
    return response


class _TooOftenError(Exception):
    """The caller has sent more pictures than are read in this time."""

    def __init__(self, wait_s: int) -> None:
        super().__init__()
        self.wait_s = wait_s


def _pay_for(request: HttpRequest, pixels: int) -> None:
    """Count a picture as the API counts it."""
    count = count_calls(request, max(1, pixels // settings.PIXELS_PER_CALL))
    if count is not None and count.is_over:
        raise _TooOftenError(count.wait_s)


def _too_many(wait_s: int) -> str:
    minutes = math.ceil(wait_s / 60)
    return ngettext(
        "You have sent many pictures. Try again in %(minutes)d minute.",
        "You have sent many pictures. Try again in %(minutes)d minutes.",
        minutes,
    ) % {"minutes": minutes}


def _problem(error: DrawingError) -> str:
    """Return the message for an error, in the reader's language."""
    if "image" in error.fields:
        return _OF_ANOTHER_TYPE % {"kind": error.fields["image"]}
    return str(_PROBLEMS.get(error.code, error.message))


def _page(
    request: HttpRequest, form: PictureForm, *, status: int = 200
) -> HttpResponse:
    return render(request, "recognizer/upload.html", {"form": form}, status=status)
