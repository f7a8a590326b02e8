"""The upload page for a picture of a digit; it works without JavaScript too."""

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from recognizer.drawings.submitting import submit_drawing
from recognizer.models import Submission
from recognizer.people.visitors import caller_of, remember_visitor
from recognizer.reader.drawing import DrawingError
from recognizer.reader.pictures import picture_from_bytes


class PictureForm(forms.Form):
    """One picture file."""

    picture = forms.FileField(
        label=_("Picture of a digit"),
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
        drawing = picture_from_bytes(form.cleaned_data["picture"].read())
    except DrawingError as error:
        form.add_error("picture", _problem(error))
        return _page(request, form, status=400)
    submission = submit_drawing(
        drawing=drawing,
        visitor=caller.visitor,
        user=caller.user,
        source=Submission.Source.UPLOAD,
    )
    response = redirect("drawing", submission.pk)
    if caller.key is None:
        remember_visitor(response, submission.visitor)
    return response


def _problem(error: DrawingError) -> str:
    """Return the message for an error, in the reader's language."""
    if "image" in error.fields:
        return _OF_ANOTHER_TYPE % {"kind": error.fields["image"]}
    return str(_PROBLEMS.get(error.code, error.message))


def _page(
    request: HttpRequest, form: PictureForm, *, status: int = 200
) -> HttpResponse:
    return render(request, "recognizer/upload.html", {"form": form}, status=status)
