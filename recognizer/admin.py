"""The admin's pages: importing these modules registers them."""

from django.contrib import admin
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
from django_tasks_db.models import DBTaskResult

from recognizer.desk import learning, people, submissions, webhooks

__all__ = ["learning", "people", "submissions", "webhooks"]

# Their pages show the secrets of second factors to all who may look.
admin.site.unregister([StaticDevice, TOTPDevice])

# A training's page tells more; a killed worker's task stays "running" for ever.
admin.site.unregister(DBTaskResult)
