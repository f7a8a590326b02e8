"""Addresses of the API's description, and of the page to try it in the browser."""

from django.urls import path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

urlpatterns = [
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path(
        "docs/",
        SpectacularSwaggerSplitView.as_view(
            template_name="recognizer/api_docs.html", url_name="schema"
        ),
        name="api-docs",
    ),
]
