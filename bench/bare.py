"""What Django costs that does nothing: the limits our own server is held against.

    python -m bench.bare            # bare Django: / answers a word
    python -m bench.bare --drf      # /constant/ answers constant JSON by DRF,
                                    # /insert/ stores one row by DRF and the ORM

One view each, no middleware, no signing in. Server and database are the site's: the
first by `digitsite.server`, the second as `digitsite.settings` have it.
"""

import sys
from types import ModuleType

import django
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import path

from digitsite import env
from digitsite.server import serve

ANSWER = {"digit": 7, "probabilities": [0.1] * 10}


def configure(**more: object) -> None:
    """Set Django up with what any site sets, and no more."""
    settings.configure(
        SECRET_KEY="bare",  # noqa: S106  # nothing is signed
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF=ModuleType("urls"),
        MIDDLEWARE=[],
        USE_TZ=True,
        LOGGING={"version": 1},
        HOST="127.0.0.1",
        PORT=env.integer("PORT", 8000, low=0, high=65535),
        WORKERS=2,
        **more,
    )
    django.setup()


def answer_a_word(request: HttpRequest) -> HttpResponse:
    """Answer."""
    return HttpResponse("seven")


def configure_drf() -> None:
    """Set up Django REST framework and the site's database, with one table."""
    from digitsite import settings as site

    configure(
        DATABASES=site.DATABASES,
        INSTALLED_APPS=["rest_framework"],
        REST_FRAMEWORK={
            "DEFAULT_AUTHENTICATION_CLASSES": [],
            "DEFAULT_PERMISSION_CLASSES": [],
            "UNAUTHENTICATED_USER": None,
            "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
            "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
        },
    )
    from django.db import connection, models
    from rest_framework.request import Request
    from rest_framework.response import Response
    from rest_framework.views import APIView

    class Row(models.Model):  # noqa: DJ008  # nobody looks at it
        """One stored thing."""

        text = models.CharField(max_length=20)

        class Meta:
            app_label = "bench"

    class Constant(APIView):
        """Answers, and does nothing."""

        def post(self, request: Request) -> Response:
            """Answer."""
            return Response(ANSWER)

    class Insert(APIView):
        """Stores one row, and does nothing else."""

        def post(self, request: Request) -> Response:
            """Store and answer."""
            Row.objects.create(text="seven")
            return Response(ANSWER, status=201)

    settings.ROOT_URLCONF.urlpatterns = [
        path("constant/", Constant.as_view()),
        path("insert/", Insert.as_view()),
    ]
    if Row._meta.db_table not in connection.introspection.table_names():
        with connection.schema_editor() as editor:
            editor.create_model(Row)
    connection.close()


def main() -> None:
    """Serve until told to stop."""
    if "--drf" in sys.argv:
        configure_drf()
    else:
        configure()
        settings.ROOT_URLCONF.urlpatterns = [path("", answer_a_word)]
    serve(settings.HOST, settings.PORT)


if __name__ == "__main__":
    main()
