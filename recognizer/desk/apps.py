"""The admin's entry in Django's registry."""

from django.contrib.admin.apps import AdminConfig


class DeskConfig(AdminConfig):
    """Django's admin, with our own `AdminSite` as the default."""

    default_site = "recognizer.desk.site.Desk"
