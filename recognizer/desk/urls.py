"""Addresses of the admin, whose pages are loaded along."""

from django.contrib import admin

admin.autodiscover()
urlpatterns = admin.site.get_urls()
