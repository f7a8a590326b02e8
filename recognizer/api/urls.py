"""URLs of the REST API, version 1, and of its documentation."""

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from recognizer.api.views import files, readings, site, submissions, webhooks

_calls = [
    path("readings/", readings.ReadingsView.as_view(), name="readings"),
    path("submissions/", submissions.SubmissionsView.as_view(), name="submissions"),
    path("submissions/export/", files.ExportView.as_view(), name="export"),
    path(
        "submissions/<uuid:submission_id>/",
        submissions.SubmissionView.as_view(),
        name="submission",
    ),
    path(
        "submissions/<uuid:submission_id>/feedback/",
        submissions.FeedbackView.as_view(),
        name="submission-feedback",
    ),
    path(
        "submissions/<uuid:submission_id>/label/",
        submissions.LabelView.as_view(),
        name="submission-label",
    ),
    path(
        "submissions/<uuid:submission_id>/image.svg",
        files.SubmissionSvgView.as_view(),
        name="submission-svg",
    ),
    path(
        "submissions/<uuid:submission_id>/image.png",
        files.SubmissionPngView.as_view(),
        name="submission-png",
    ),
    path("me/", site.MeView.as_view(), name="me"),
    path("models/", site.ModelsView.as_view(), name="models"),
    path("models/active/", site.ActiveModelView.as_view(), name="active-model"),
    path(
        "models/active/<str:name>",
        files.ActiveModelFileView.as_view(),
        name="active-model-file",
    ),
    path("stats/", site.StatsView.as_view(), name="stats"),
    path("webhooks/", webhooks.WebhooksView.as_view(), name="webhooks"),
    path(
        "webhooks/<uuid:webhook_id>/",
        webhooks.WebhookView.as_view(),
        name="webhook",
    ),
]

urlpatterns = [
    path("api/v1/", include((_calls, "api"))),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path(
        "api/docs/",  # to try the calls in the browser
        SpectacularSwaggerSplitView.as_view(
            template_name="recognizer/api_docs.html", url_name="schema"
        ),
        name="api-docs",
    ),
]
