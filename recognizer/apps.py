"""The app's entry in Django's registry."""

from django.apps import AppConfig


class RecognizerConfig(AppConfig):
    """Submissions, predictions and the models that made them."""

    name = "recognizer"
    verbose_name = "Digit reader"
