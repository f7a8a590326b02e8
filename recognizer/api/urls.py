"""Addresses of the REST API, version 1.

To name one of them by these alone, as `urlconf`, loads no page.
"""

from django.urls import include, path

from recognizer.api import views

_calls = [
    path("readings/", views.ReadingsView.as_view(), name="readings"),
    path("submissions/", views.SubmissionsView.as_view(), name="submissions"),
    path("submissions/export/", views.ExportView.as_view(), name="export"),
    path(
        "submissions/<uuid:submission_id>/",
        views.SubmissionView.as_view(),
        name="submission",
    ),
    path(
        "submissions/<uuid:submission_id>/feedback/",
        views.FeedbackView.as_view(),
        name="submission-feedback",
    ),
    path(
        "submissions/<uuid:submission_id>/label/",
        views.LabelView.as_view(),
        name="submission-label",
    ),
    path(
        "submissions/<uuid:submission_id>/image.svg",
        views.SubmissionSvgView.as_view(),
        name="submission-svg",
    ),
    path(
        "submissions/<uuid:submission_id>/image.png",
        views.SubmissionPngView.as_view(),
        name="submission-png",
    ),
    path("me/", views.MeView.as_view(), name="me"),
    path("models/", views.ModelsView.as_view(), name="models"),
    path("models/active/", views.ActiveModelView.as_view(), name="active-model"),
    path("stats/", views.StatsView.as_view(), name="stats"),
]

urlpatterns = [path("api/v1/", include((_calls, "api")))]
