"""Import labelled pictures in the admin: preview, store, undo."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from recognizer.desk.access import needs, on_page, page, staff
from recognizer.importing import importing
from recognizer.importing.files import ImportRefusedError, open_packed, pack
from recognizer.importing.sources import Reason
from recognizer.learning.snapshots import MOST_OF_ONE_PERSON
from recognizer.models import Import, ImportedFile, Rejection
from recognizer.reader.pictures import thumbnail_url
from recognizer.reader.recognisers import ReaderUnavailableError
from recognizer.templatetags.figures import number

LISTED = 50  # imports, the newest


@require_http_methods(["GET", "HEAD", "POST"])
def imports(request: HttpRequest) -> HttpResponseBase:
    """List the imports; preview what was uploaded, and go to its page."""
    problem = ""
    if request.method == "POST":
        try:
            return redirect("admin:import", _previewed(request).pk)
        except ImportRefusedError as error:
            problem = str(error)
    context = on_page(
        request,
        title=_("Import labelled pictures"),
        problem=problem,
        most_of_one=MOST_OF_ONE_PERSON,
        imports=Import.objects.select_related("reviewer").order_by("-pk")[:LISTED],
    )
    status = 400 if problem else 200
    return render(request, "admin/recognizer/imports.html", context, status=status)


def _previewed(request: HttpRequest) -> Import:
    """Keep an upload with its preview, instead of the reviewer's last one."""
    sent = request.FILES.getlist("files")
    uploads = [(one.name or "", one.read()) for one in sent]
    content = pack(uploads)
    found = importing.preview(
        files=open_packed(content),
        name=", ".join(name for name, _content in uploads),
        reviewer=staff(request),
    )
    if found.state == Import.State.PREVIEWED:
        importing.discard_previews(reviewer=staff(request))
        found.save()
        ImportedFile.objects.create(of_import=found, content=content)
    return found


@require_GET
def one_import(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """Show a preview, or what became of an import."""
    found = get_object_or_404(Import.objects.select_related("reviewer"), pk=pk)
    file = ImportedFile.objects.filter(of_import=found).first()
    first = importing.first_of_each(open_packed(file.content)) if file else {}
    names = dict([*Rejection.choices, ("number", _("number"))])
    context = on_page(
        request,
        title=found.name,
        found=found,
        counts=[(names.get(key, key), count) for key, count in found.counts.items()],
        refused=[(Reason(key).label, count) for key, count in found.refused.items()],
        listed=[(name, Reason(key).label) for name, key in found.listed],
        pictures=[(names.get(key, key), thumbnail_url(first[key])) for key in first],
        may_store=file is not None and _is_own(request, found),
        may_undo=_may_undo(request, found),
    )
    return render(request, "admin/recognizer/import.html", context)


def _is_own(request: HttpRequest, found: Import) -> bool:
    return found.reviewer_id == staff(request).pk


def _may_undo(request: HttpRequest, found: Import) -> bool:
    """Whether it is the user's own import, or they may delete any drawing."""
    may_delete = request.user.has_perm("recognizer.delete_submission")
    has_something = found.state != Import.State.UNDONE or found.people.exists()
    return has_something and (_is_own(request, found) or may_delete)


def store(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """Store what was previewed; its labels are the user's."""
    found = get_object_or_404(Import, pk=pk, reviewer=staff(request))
    file = ImportedFile.objects.filter(of_import=found).first()
    try:
        if file is None:
            raise ImportRefusedError(_("This import has been stored or undone."))
        importing.store(imported=found, files=open_packed(file.content))
    except (ImportRefusedError, ReaderUnavailableError) as error:
        messages.error(request, str(error))
    else:
        told = _("Drawings imported: %(number)s.") % {"number": number(found.stored)}
        messages.success(request, told)
    return redirect("admin:import", pk)


def undo(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """Delete what an import stored; discard a preview."""
    found = get_object_or_404(Import, pk=pk)
    if not _may_undo(request, found):
        raise PermissionDenied
    if found.state == Import.State.PREVIEWED:
        found.delete()
        messages.success(request, _("The preview has been discarded."))
        return redirect("admin:imports")
    deleted = importing.undo(imported=found, by=staff(request))
    told = _("Drawings deleted: %(number)s.") % {"number": number(deleted)}
    messages.success(request, told)
    return redirect("admin:import", pk)


def addresses() -> list[URLPattern]:
    """Return the pages' addresses, below the submissions' address."""
    may_label = needs("add_label", "view_submission")
    views: list[tuple[str, str, Any]] = [
        ("", "imports", imports),
        ("<uuid:pk>/", "import", one_import),
        ("<uuid:pk>/store/", "import-store", require_POST(store)),
        ("<uuid:pk>/undo/", "import-undo", require_POST(undo)),
    ]
    return [
        page(f"import/{route}", may_label(view), name=name)
        for route, name, view in views
    ]
