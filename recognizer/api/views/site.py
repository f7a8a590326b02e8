"""Views of the caller, the models, and the site's statistics."""

from rest_framework.request import Request
from rest_framework.response import Response

from recognizer.api.contract.incoming import ConsentIn
from recognizer.api.contract.judging import judged
from recognizer.api.contract.outgoing import (
    MeOut,
    ModelVersionOut,
    ModelVersionsOut,
    StatsOut,
    model_out,
)
from recognizer.api.schema import call
from recognizer.api.views.base import RecognizerView
from recognizer.drawings.statistics import stats
from recognizer.models import ModelVersion
from recognizer.people.visitors import caller_of, set_consent
from recognizer.reader.active import active_model
from recognizer.reader.drawing import DrawingError


class MeView(RecognizerView):
    """Who is calling, and whether their drawings may train models."""

    @call("getMe", answers={200: MeOut})
    def get(self, request: Request) -> Response:
        """Return who is calling."""
        return Response(MeOut.model_validate(caller_of(request)))

    @call("setConsent", takes=ConsentIn, answers={200: MeOut})
    def patch(self, request: Request) -> Response:
        """Set whether your drawings, past and future, may train models."""
        given = judged(ConsentIn, request.data)
        caller = caller_of(request)
        if caller.key is None:
            raise DrawingError(
                "unknown_visitor",
                "You have no stored drawings yet, so there is no visitor to save "
                "this for. Store a drawing first and keep the cookie, or send a "
                "token.",
            )
        set_consent(
            visitors=caller.visitors, user=caller.user, may_train=given.may_train
        )
        return Response(MeOut.model_validate(caller_of(request)))


class ModelsView(RecognizerView):
    """The models the site knows."""

    @call("listModels", answers={200: ModelVersionsOut})
    def get(self, request: Request) -> Response:
        """List all model versions, newest first."""
        versions = ModelVersion.objects.newest_first()
        return Response(ModelVersionsOut(results=[*map(model_out, versions)]))


class ActiveModelView(RecognizerView):
    """The model that is active now."""

    @call("getActiveModel", answers={200: ModelVersionOut})
    def get(self, request: Request) -> Response:
        """Return the active model version."""
        return Response(model_out(active_model()))


class StatsView(RecognizerView):
    """The statistics of the whole site."""

    @call("getStats", answers={200: StatsOut})
    def get(self, request: Request) -> Response:
        """Return the statistics of the whole site."""
        return Response(StatsOut.model_validate(stats()))
