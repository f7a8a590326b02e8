"""All addresses of the site."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("recognizer.api.urls")),
    path("admin/", admin.site.urls),
    path("", include("recognizer.urls")),
]

handler400 = "recognizer.ops.error_views.bad_request"
handler403 = "recognizer.ops.error_views.permission_denied"
handler404 = "recognizer.ops.error_views.page_not_found"
handler500 = "recognizer.ops.error_views.server_error"
