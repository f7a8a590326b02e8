"""The learning loop in the admin: snapshots, trainings, gates, models, audit."""

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_POST

from recognizer.desk import figures
from recognizer.desk.access import needs, staff
from recognizer.desk.readonly import KeptAdmin
from recognizer.learning import promotion, snapshots, training
from recognizer.learning import worker as crossing
from recognizer.models import (
    AuditEntry,
    GateReport,
    ModelVersion,
    Snapshot,
    TrainingRun,
)
from recognizer.reader.active import active_model
from recognizer.reader.recognisers import ReaderUnavailableError


def page_of(row: Any) -> str:
    """Return the address of a row's page in the admin."""
    return reverse(f"admin:recognizer_{row._meta.model_name}_change", args=[row.pk])


# --- snapshots ----------------------------------------------------------------------


@admin.register(Snapshot)
class SnapshotAdmin(KeptAdmin):
    """What was selected for training, with its datasheet."""

    list_display = ("short_digest", "drawings", "created_by", "created_at")
    list_select_related = ("created_by",)
    ordering = ("-id",)
    fields = readonly_fields = ("digest", "sheet", "created_by", "created_at")

    def get_urls(self) -> list[URLPattern]:
        """Add what can be done."""
        view = self.admin_site.admin_view
        return [
            path("make/", view(make_snapshot), name="snapshot-make"),
            path("<uuid:pk>/train/", view(train), name="snapshot-train"),
            *super().get_urls(),
        ]

    @admin.display(description=_("drawings"))
    def drawings(self, snapshot: Snapshot) -> int:
        """How many."""
        return int(snapshot.datasheet["drawings"])

    @admin.display(description=_("datasheet"))
    def sheet(self, snapshot: Snapshot) -> SafeString:
        """The figures of the selection."""
        return format_html(
            '<table class="facts">{}</table>',
            format_html_join(
                "",
                "<tr><th>{}</th><td>{}</td></tr>",
                ((name, _as_text(value)) for name, value in snapshot.datasheet.items()),
            ),
        )


def _as_text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(
            f"{key}: {number}" for key, number in value.items()
        ) or gettext("none")
    return str(value)


@require_POST
@needs("add_snapshot")
def make_snapshot(request: HttpRequest) -> HttpResponseBase:
    """Freeze what was reviewed."""
    try:
        snapshot = snapshots.make_snapshot(actor=staff(request))
    except snapshots.NothingToLearnError as error:
        messages.error(request, str(error))
        return redirect("admin:recognizer_snapshot_changelist")
    messages.success(
        request,
        gettext("Snapshot %(snapshot)s has been created.") % {"snapshot": snapshot},
    )
    return redirect(page_of(snapshot))


@require_POST
@needs("add_trainingrun")
def train(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """Queue a training on a snapshot."""
    snapshot = get_object_or_404(Snapshot, pk=pk)
    try:
        run = training.start_training(snapshot=snapshot, actor=staff(request))
    except ReaderUnavailableError as error:
        messages.error(request, str(error))
        return redirect(page_of(snapshot))
    if not crossing.is_installed():
        messages.warning(
            request,
            gettext("This machine cannot train. A worker on another machine will. ")
            + crossing.HOW_TO_INSTALL,
        )
    return redirect(page_of(run))


# --- trainings ----------------------------------------------------------------------


@admin.register(TrainingRun)
class TrainingRunAdmin(KeptAdmin):
    """Trainings, as they stand."""

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
    ordering = ("-id",)
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
        "heartbeat_at",
        "finished_at",
        "end_of_log",
    )

    def get_queryset(self, request: HttpRequest) -> Any:
        """Look after silent ones first: a page never shows a dead run as running."""
        training.tend_runs()
        return super().get_queryset(request)

    def get_urls(self) -> list[URLPattern]:
        """Add what can be done."""
        view = self.admin_site.admin_view
        return [
            path("<uuid:pk>/state/", view(run_state), name="training-state"),
            path("<uuid:pk>/cancel/", view(cancel), name="training-cancel"),
            *super().get_urls(),
        ]

    @admin.display(description=_("progress"))
    def share(self, run: TrainingRun) -> SafeString:
        """How far it is."""
        return format_html(
            '<progress id="run-progress" max="1" value="{}"></progress> {}',
            f"{run.progress:.3f}",
            f"{run.progress:.0%}",
        )

    @admin.display(description=_("candidate"))
    def result(self, run: TrainingRun) -> SafeString | str:
        """The version it made, with the gate's report."""
        if run.version is None:
            return gettext("none yet")
        links = [
            (page_of(run.version), gettext("model %(model)s") % {"model": run.version})
        ]
        links += [
            (page_of(r), gettext("gate report %(report)s") % {"report": r})
            for r in run.version.gate_reports.all()
        ]
        return format_html_join(", ", '<a href="{}">{}</a>', links)

    @admin.display(description=_("log"))
    def end_of_log(self, run: TrainingRun) -> SafeString:
        """What its processes have printed."""
        return format_html('<pre id="run-log" class="log">{}</pre>', run.log)


@require_GET
@needs("view_trainingrun")
def run_state(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """Answer how a run stands, for its page."""
    training.tend_runs()
    run = get_object_or_404(TrainingRun, pk=pk)
    return JsonResponse(
        {
            "state": run.state,
            "is_under_way": run.is_under_way,
            "progress": run.progress,
            "doing": run.doing,
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
    """Candidates against what read then."""

    list_display = ("candidate", "incumbent", "has_passed", "snapshot", "created_at")
    list_select_related = ("candidate", "incumbent", "snapshot")
    ordering = ("-id",)
    fields = readonly_fields = ("created_at",)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Show the report."""
        found = self.get_object(request, object_id)
        context = {} if found is None else report_context(found)
        return super().change_view(request, object_id, form_url, context)


def report_context(gate: GateReport) -> dict[str, Any]:
    """Return what the report's page shows, sets in the order they were judged."""
    report = gate.report
    sets: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for drawing in report["drawings"]:
        of_set = sets.setdefault(drawing["set"], {"fixed": [], "broken": []})
        of_set[drawing["what"]].append(drawing)
    counts = {
        check["name"]: (check["fixes"], check["breaks"])
        for check in report["checks"]
        if check["fixes"] is not None
    }
    return {
        "gate": gate,
        "report": report,
        "doubted": report.get("doubted", []),
        "sets": [
            {
                "name": name,
                "fixed": found["fixed"],
                "broken": found["broken"],
                "fixes": counts[name][0],
                "breaks": counts[name][1],
            }
            for name, found in sets.items()
        ],
    }


# --- models -------------------------------------------------------------------------


@admin.register(ModelVersion)
class ModelVersionAdmin(KeptAdmin):
    """The models the site knows."""

    list_display = ("short_digest", "stage", "origin", "promoted_at", "created_at")
    ordering = ("-id",)
    exclude = ("manifest",)
    readonly_fields = ("metrics", "gates")

    def get_urls(self) -> list[URLPattern]:
        """Add what can be done."""
        view = self.admin_site.admin_view
        return [
            path("<uuid:pk>/promote/", view(promote), name="model-promote"),
            path("<uuid:pk>/roll-back/", view(roll_back), name="model-roll-back"),
            *figures.addresses(),
            *super().get_urls(),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Say whether it may be promoted."""
        version = self.get_object(request, object_id)
        context: dict[str, Any] = {}
        if version is not None:
            reads = active_model()
            verdict = promotion.verdict_on(version, incumbent=reads)
            context = {
                "version": version,
                "reads": reads,
                "verdict": verdict,
                "may_promote": request.user.has_perm("recognizer.change_modelversion"),
                "is_former": version.stage == ModelVersion.Stage.RETIRED
                and version.promoted_at is not None,
            }
        return super().change_view(request, object_id, form_url, context)

    @admin.display(description=_("metrics"))
    def metrics(self, version: ModelVersion) -> SafeString:
        """What was measured when the model was finished."""
        return format_html_join(
            "",
            "{}: {}<br>",
            (
                (name, ", ".join(f"{key} {value}" for key, value in row.items()))
                for name, row in version.manifest["metrics"].items()
            ),
        )

    @admin.display(description=_("gate reports"))
    def gates(self, version: ModelVersion) -> SafeString | str:
        """Each comparison it has been through."""
        reports = version.gate_reports.select_related("incumbent").order_by("-pk")
        links = [
            (
                page_of(report),
                (
                    gettext("passed against %(model)s")
                    if report.has_passed
                    else gettext("failed against %(model)s")
                )
                % {"model": report.incumbent},
            )
            for report in reports
        ]
        return format_html_join(", ", '<a href="{}">{}</a>', links) or gettext("none")


@require_POST
@needs("change_modelversion")
def promote(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """Let a version read from now on."""
    version = get_object_or_404(ModelVersion, pk=pk)
    try:
        promotion.promote(
            version=version,
            actor=staff(request),
            reason=request.POST.get("reason", ""),
        )
        messages.success(
            request, gettext("Model %(model)s is now active.") % {"model": version}
        )
    except promotion.GateError as error:
        messages.error(request, str(error))
    return redirect(page_of(version))


@require_POST
@needs("change_modelversion")
def roll_back(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """Let a version that has read before read again."""
    version = get_object_or_404(ModelVersion, pk=pk)
    try:
        promotion.roll_back(actor=staff(request), to=version)
        messages.success(
            request, gettext("Model %(model)s is active again.") % {"model": version}
        )
    except promotion.GateError as error:
        messages.error(request, str(error))
    return redirect(page_of(version))


# --- audit --------------------------------------------------------------------------


@admin.register(AuditEntry)
class AuditEntryAdmin(KeptAdmin):
    """Who did what, when, and what was there before."""

    list_display = (
        "created_at",
        "actor",
        "action",
        "subject",
        "before",
        "after",
        "reason",
    )
    list_display_links = None
    list_filter = ("action",)
    list_select_related = ("actor",)
    search_fields = ("=subject",)
    ordering = ("-id",)
