"""The learning loop in the admin: snapshots, trainings, gates, models, audit."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, reverse
from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_POST

from recognizer.desk import figures
from recognizer.desk.access import needs, on_page, page, staff
from recognizer.desk.curves import curve_plots
from recognizer.desk.gate_words import in_words
from recognizer.desk.readonly import KeptAdmin
from recognizer.learning import promotion, snapshots, training, worker
from recognizer.learning.evaluation import judged_by_metrics
from recognizer.learning.outlook import outlook_of
from recognizer.learning.promotion import GateError
from recognizer.learning.snapshots import NothingToLearnError
from recognizer.models import (
    AuditEntry,
    GateReport,
    ModelVersion,
    Rejection,
    Snapshot,
    SnapshotItem,
    Submission,
    TrainingRun,
)
from recognizer.reader.active import active_model
from recognizer.reader.recognisers import ReaderUnavailableError
from recognizer.templatetags.figures import number, share

HISTORY = 500
"""Most promotions and rollbacks that the history shows, the newest."""


def page_of(row: Any) -> str:
    """Return the address of a row's page in the admin."""
    return reverse(f"admin:recognizer_{row._meta.model_name}_change", args=[row.pk])


def links_to(rows: Iterable[tuple[Any, str]]) -> SafeString:
    """Write links to the pages of some rows, each with its text."""
    links = ((page_of(row), text) for row, text in rows)
    return format_html_join(", ", '<a href="{}">{}</a>', links)


@contextmanager
def refusals_shown(request: HttpRequest) -> Iterator[None]:
    """Show the reason for a refusal as a message on the next page."""
    try:
        yield
    except (NothingToLearnError, ReaderUnavailableError, GateError) as error:
        messages.error(request, str(error))


# --- snapshots ----------------------------------------------------------------------


@admin.register(Snapshot)
class SnapshotAdmin(KeptAdmin):
    """Snapshots with their datasheets."""

    list_display = ("short_digest", "drawings", "created_by", "created_at")
    list_select_related = ("created_by",)
    fields = readonly_fields = ("digest", "sheet", "created_by", "created_at")

    def get_urls(self) -> list[URLPattern]:
        """Add the addresses of the actions."""
        return [
            page("make/", make_snapshot, name="snapshot-make"),
            page("<uuid:pk>/train/", train, name="snapshot-train"),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any
    ) -> Any:
        """Show what a training on the snapshot can hope for."""
        if snapshot := self.get_object(request, object_id):
            kwargs["extra_context"] = {"outlook": outlook_of(snapshot)}
        return super().change_view(request, object_id, *args, **kwargs)

    @admin.display(description=_("drawings"))
    def drawings(self, snapshot: Snapshot) -> int:
        """Return the number of drawings."""
        return int(snapshot.datasheet["drawings"])

    @admin.display(description=_("datasheet"))
    def sheet(self, snapshot: Snapshot) -> SafeString:
        """Return the datasheet as a table."""
        return format_html(
            '<table class="facts">{}</table>',
            format_html_join(
                "",
                "<tr><th>{}</th><td>{}</td></tr>",
                (
                    (_named(name), _as_text(value))
                    for name, value in snapshot.datasheet.items()
                ),
            ),
        )


KEYS = {
    "made": gettext_noop("made"),
    "drawings": gettext_noop("drawings"),
    "training": gettext_noop("to learn from"),
    "hold-out": gettext_noop("held out for judging"),
    "people": gettext_noop("people"),
    "pointers": gettext_noop("pointers"),
    "left out": gettext_noop("left out"),
    "most of one person": gettext_noop("most of one person"),
    "over one person's share": gettext_noop("over one person's share"),
    "near-identical": gettext_noop("near-identical"),
    "unknown": gettext_noop("unknown"),
    "digit": gettext_noop("digit"),
    "number": gettext_noop("number"),
    "rejected": gettext_noop("no label"),
    "snapshot": gettext_noop("snapshot"),
    "reads": gettext_noop("active model"),
    "state": gettext_noop("state"),
    "erased": gettext_noop("deleted"),
}
"""Names in datasheets and in the audit log, with those that a page shows."""
CHOICES: dict[str, Any] = dict(
    [*SnapshotItem.Kind.choices, *Rejection.choices, *Submission.Pointer.choices]
)


def _named(key: str) -> str:
    return str(gettext(KEYS[key]) if key in KEYS else CHOICES.get(key, key))


def _as_text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(
            _named(key) if told is True else f"{_named(key)}: {_as_text(told)}"
            for key, told in value.items()
        ) or gettext("none")
    if isinstance(value, str) and (moment := _moment(value)):
        return date_format(localtime(moment), "DATETIME_FORMAT")
    return _named(str(value))


def _moment(text: str) -> datetime | None:
    try:
        return parse_datetime(text)
    except ValueError:
        return None


@require_POST
@needs("add_snapshot")
def make_snapshot(request: HttpRequest) -> HttpResponseBase:
    """Make a snapshot of the reviewed drawings."""
    with refusals_shown(request):
        snapshot = snapshots.make_snapshot(actor=staff(request))
        text = gettext("Snapshot %(snapshot)s has been created.")
        messages.success(request, text % {"snapshot": snapshot})
        return redirect(page_of(snapshot))
    return redirect("admin:recognizer_snapshot_changelist")


@require_POST
@needs("add_trainingrun")
def train(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """Queue a training on a snapshot."""
    snapshot = get_object_or_404(Snapshot, pk=pk)
    with refusals_shown(request):
        run = training.start_training(snapshot=snapshot, actor=staff(request))
        if not worker.is_installed():
            messages.warning(
                request,
                gettext("This machine cannot train. A worker on another machine will. ")
                + worker.HOW_TO_INSTALL,
            )
        return redirect(page_of(run))
    return redirect(page_of(snapshot))


# --- trainings ----------------------------------------------------------------------


@admin.register(TrainingRun)
class TrainingRunAdmin(KeptAdmin):
    """Training runs with their progress."""

    list_display = (
        "id",
        "state",
        "share",
        "doing",
        "snapshot",
        "version",
        "created_at",
    )
    list_select_related = ("snapshot", "version")
    fields = readonly_fields = (
        "state",
        "share",
        "doing",
        "problem",
        "snapshot",
        "incumbent",
        "result",
        "options",
        "attempt",
        "started_by",
        "created_at",
        "started_at",
        "heartbeat_at",
        "finished_at",
        "end_of_log",
    )

    def get_queryset(self, request: HttpRequest) -> Any:
        """Tend silent runs first, so that no page shows a dead run as running."""
        training.tend_runs()
        return super().get_queryset(request)

    def get_urls(self) -> list[URLPattern]:
        """Add the addresses of the actions."""
        return [
            page("<uuid:pk>/state/", run_state, name="training-state"),
            page("<uuid:pk>/cancel/", cancel, name="training-cancel"),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any
    ) -> Any:
        """Show the curves too."""
        if run := self.get_object(request, object_id):
            kwargs["extra_context"] = {"plots": curve_plots(run.history)}
        return super().change_view(request, object_id, *args, **kwargs)

    @admin.display(description=_("progress"))
    def share(self, run: TrainingRun) -> SafeString:
        """Return the progress as a bar and in percent."""
        return format_html(
            '<progress id="run-progress" max="1" value="{}"></progress> {}',
            f"{run.progress:.3f}",
            f"{run.progress:.0%}",
        )

    @admin.display(description=_("candidate"))
    def result(self, run: TrainingRun) -> SafeString | str:
        """Link to the version that the run made and to its gate reports."""
        if run.version is None:
            return gettext("none yet")
        made, judged = gettext("model %(model)s"), gettext("gate report %(report)s")
        reports = run.version.gate_reports.all()
        return links_to(
            [
                (run.version, made % {"model": run.version}),
                *((report, judged % {"report": report}) for report in reports),
            ]
        )

    @admin.display(description=_("log"))
    def end_of_log(self, run: TrainingRun) -> SafeString:
        """Return the end of the log."""
        return format_html('<pre id="run-log" class="log">{}</pre>', run.log)


@require_GET
@needs("view_trainingrun")
def run_state(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """Answer a run's state as JSON, for its page."""
    training.tend_runs()
    run = get_object_or_404(TrainingRun, pk=pk)
    return JsonResponse(
        {
            "state": run.state,
            "is_under_way": run.is_under_way,
            "progress": run.progress,
            "doing": run.doing,
            "epochs": len(run.history),
            "log": run.log,
        }
    )


@require_POST
@needs("change_trainingrun")
def cancel(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """Cancel a run."""
    run = get_object_or_404(TrainingRun, pk=pk)
    run = training.cancel_training(run=run, actor=staff(request))
    if run.is_under_way:
        messages.success(request, gettext("The training stops within a few seconds."))
    return redirect(page_of(run))


# --- gates --------------------------------------------------------------------------


@admin.register(GateReport)
class GateReportAdmin(KeptAdmin):
    """Candidates compared with the model that was active then."""

    list_display = ("candidate", "incumbent", "told", "snapshot", "created_at")
    list_select_related = ("candidate", "incumbent", "snapshot")
    fields = readonly_fields = ("created_at",)

    @admin.display(description=_("result"))
    def told(self, gate: GateReport) -> str:
        """Return the outcome in a word."""
        return str(gate.outcome.label)

    def change_view(
        self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any
    ) -> Any:
        """Show the report."""
        if gate := self.get_object(request, object_id):
            kwargs["extra_context"] = report_context(gate)
        return super().change_view(request, object_id, *args, **kwargs)


def report_context(gate: GateReport) -> dict[str, Any]:
    """Return the report page's context, with the sets in the order they were judged."""
    report = gate.report
    checks = {one["name"]: one for one in report["checks"] if one["fixes"] is not None}
    sets: dict[str, dict[str, Any]] = {}
    for drawing in report["drawings"]:
        name = drawing["set"]
        if name not in sets:
            counts = {what: checks[name][what] for what in ("fixes", "breaks")}
            sets[name] = {
                "name": in_words(name),
                **counts,
                "fixed": [],
                "broken": [],
            }
        sets[name][drawing["what"]].append(drawing)
    return {
        "gate": gate,
        "report": report,
        "checks": [
            {
                **one,
                **{key: in_words(one[key]) for key in ("name", "figure", "allowed")},
            }
            for one in report["checks"]
        ],
        "doubted": report.get("doubted", []),
        "sets": sets.values(),
    }


# --- models -------------------------------------------------------------------------


@admin.register(ModelVersion)
class ModelVersionAdmin(KeptAdmin):
    """The models the site knows."""

    list_display = ("short_digest", "stage", "origin", "promoted_at", "created_at")
    exclude = ("manifest",)
    readonly_fields = ("metrics", "gates")

    def get_urls(self) -> list[URLPattern]:
        """Add the addresses of the actions."""
        return [
            page("<uuid:pk>/promote/", promote, name="model-promote"),
            page("<uuid:pk>/roll-back/", roll_back, name="model-roll-back"),
            page("history/", history, name="model-history"),
            *figures.addresses(),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any
    ) -> Any:
        """Show whether the version may be promoted."""
        if version := self.get_object(request, object_id):
            reads = active_model()
            kwargs["extra_context"] = {
                "version": version,
                "reads": reads,
                "verdict": promotion.verdict_on(version, incumbent=reads),
                "is_former": version.stage == ModelVersion.Stage.RETIRED
                and version.promoted_at is not None,
            }
        return super().change_view(request, object_id, *args, **kwargs)

    @admin.display(description=_("metrics"))
    def metrics(self, version: ModelVersion) -> SafeString:
        """What was measured when the model was finished."""
        none = "-"
        rows = judged_by_metrics(version.manifest["metrics"])
        return format_html_join(
            "",
            "<p>{}</p>",
            (
                (
                    gettext(
                        "%(name)s, %(number)s drawings: accuracy %(accuracy)s, refused "
                        "%(refused)s, accuracy among answered %(answered)s, "
                        "calibration error %(error)s"
                    )
                    % {
                        "name": row["name"],
                        "number": number(row["number"]),
                        "accuracy": share(row["accuracy"].value),
                        "refused": share(row["refused"]),
                        "answered": (
                            none
                            if row["accuracy_answered"] is None
                            else share(row["accuracy_answered"])
                        ),
                        "error": share(row["ece"]),
                    },
                )
                for row in rows
            ),
        )

    @admin.display(description=_("gate reports"))
    def gates(self, version: ModelVersion) -> SafeString | str:
        """Link to the version's gate reports."""
        reports = version.gate_reports.select_related("incumbent").order_by("-pk")
        words = {
            GateReport.Outcome.PASSED: gettext("passed against %(model)s"),
            GateReport.Outcome.FAILED: gettext("failed against %(model)s"),
            GateReport.Outcome.NOT_PROVEN: gettext(
                "not proven to be better than %(model)s"
            ),
        }
        links = links_to(
            (one, words[one.outcome] % {"model": one.incumbent}) for one in reports
        )
        return links or gettext("none")


@require_POST
@needs("change_modelversion")
def promote(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """Make a version active."""
    version = get_object_or_404(ModelVersion, pk=pk)
    reason = request.POST.get("reason", "")
    with refusals_shown(request):
        promotion.promote(version=version, actor=staff(request), reason=reason)
        text = gettext("Model %(model)s is now active.")
        messages.success(request, text % {"model": version})
    return redirect(page_of(version))


@require_POST
@needs("change_modelversion")
def roll_back(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """Make a retired version active again."""
    version = get_object_or_404(ModelVersion, pk=pk)
    with refusals_shown(request):
        reason = request.POST.get("reason", "")
        promotion.roll_back(actor=staff(request), to=version, reason=reason)
        text = gettext("Model %(model)s is active again.")
        messages.success(request, text % {"model": version})
    return redirect(page_of(version))


@require_GET
@needs("view_modelversion", "view_auditentry")
def history(request: HttpRequest) -> HttpResponseBase:
    """Show all promotions and rollbacks with their reasons, newest first."""
    context = on_page(
        request,
        title=gettext("Promotions and rollbacks"),
        changes=promotion.history(count=HISTORY),
    )
    return render(request, "admin/recognizer/modelversion/history.html", context)


# --- audit --------------------------------------------------------------------------


@admin.register(AuditEntry)
class AuditEntryAdmin(KeptAdmin):
    """Who did what, when, and what was there before."""

    list_display = (
        "created_at",
        "actor",
        "action",
        "subject",
        "told_before",
        "told_after",
        "reason",
    )
    list_display_links = None
    list_filter = ("action",)
    list_select_related = ("actor",)
    search_fields = ("=subject",)
    exclude = ("before", "after")
    readonly_fields = ("told_before", "told_after")

    @admin.display(description=_("before"))
    def told_before(self, entry: AuditEntry) -> str:
        """Return in words what was there before."""
        return _as_text(entry.before) if entry.before else ""

    @admin.display(description=_("after"))
    def told_after(self, entry: AuditEntry) -> str:
        """Return in words what was there afterwards."""
        return _as_text(entry.after) if entry.after else ""
