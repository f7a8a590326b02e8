"""All addresses of the site.

What a call of the API needs is loaded when the site starts, everything else by the
first who asks for it, or for the address of a page: an answer need not wait for the
admin.
"""

from django.urls import URLResolver, include, path
from django.urls.resolvers import RoutePattern


def later(route: str, module: str, *, namespace: str | None = None) -> URLResolver:
    """Include addresses whose module is imported when it is first looked at."""
    return URLResolver(
        RoutePattern(route), module, app_name=namespace, namespace=namespace
    )


urlpatterns = [
    path("", include("recognizer.api.urls")),
    later("api/", "recognizer.api.docs"),
    later("admin/", "recognizer.desk.urls", namespace="admin"),
    later("", "recognizer.urls"),
]

handler400 = "recognizer.ops.error_views.bad_request"
handler403 = "recognizer.ops.error_views.permission_denied"
handler404 = "recognizer.ops.error_views.page_not_found"
handler500 = "recognizer.ops.error_views.server_error"
