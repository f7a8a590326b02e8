"""Views of the caller, the models, and the site's statistics."""

from django.contrib.auth import logout
from rest_framework.exceptions import NotAuthenticated, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from recognizer.api.auth import check_own_password
from recognizer.api.contract.incoming import AccountDeletionIn, ConsentIn
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
from recognizer.learning.promotion import verdicts_on
from recognizer.models import ModelVersion
from recognizer.people import erasing
from recognizer.people.visitors import (
    caller_of,
    forget_visitor,
    introduce,
    remember_visitor,
    set_consent,
)
from recognizer.reader.active import active_model
from recognizer.reader.drawing import DrawingError


class MeView(RecognizerView):
    """Who is calling, and what their drawings may be used for."""

    @call("getMe", answers={200: MeOut})
    def get(self, request: Request) -> Response:
        """Return who is calling."""
        return Response(MeOut.model_validate(caller_of(request)))

    @call("introduceMe", answers={200: MeOut, 201: MeOut})
    def post(self, request: Request) -> Response:
        """Become a visitor; without one, get the cookie that owns drawings."""
        before = caller_of(request)
        caller = introduce(before)
        status = 200 if before.visitor else 201
        response = Response(MeOut.model_validate(caller), status=status)
        if before.key is None and caller.visitor is not None:
            remember_visitor(response, caller.visitor)
        return response

    @call("setConsent", takes=ConsentIn, answers={200: MeOut})
    def patch(self, request: Request) -> Response:
        """Set whether your drawings may train models, and may be published."""
        given = judged(ConsentIn, request.data)
        caller = caller_of(request)
        if caller.key is None:
            raise DrawingError(
                "unknown_visitor",
                "You have no stored drawings yet, so there is no visitor to save "
                "this for. Store a drawing first and keep the cookie, or send a "
                "token.",
            )
        set_consent(visitors=caller.visitors, user=caller.user, given=given.given)
        return Response(MeOut.model_validate(caller_of(request)))

    @call("deleteMe", takes=AccountDeletionIn, answers={204: None})
    def delete(self, request: Request) -> Response:
        """Delete your account and drawings; needs a session and your password."""
        if request.auth is not None:
            raise PermissionDenied(  # it may have been stolen
                "A token cannot delete an account. Sign in and give your password."
            )
        if not request.user.is_authenticated:
            raise NotAuthenticated
        user = request.user
        given = judged(AccountDeletionIn, request.data)
        check_own_password(request, given.password)
        try:
            erasing.delete_account(user=user)
        except erasing.LastAdministratorError as error:
            raise PermissionDenied(
                "You are the only administrator. Make somebody else one first."
            ) from error
        logout(request._request)
        response = Response(status=204)
        forget_visitor(response)
        return response


class ModelsView(RecognizerView):
    """The models the site knows."""

    @call("listModels", answers={200: ModelVersionsOut})
    def get(self, request: Request) -> Response:
        """List all model versions, newest first."""
        versions = ModelVersion.objects.newest_first()
        verdicts = verdicts_on(versions)
        return Response(
            ModelVersionsOut(results=[model_out(one, verdicts) for one in versions])
        )


class ActiveModelView(RecognizerView):
    """The model that is active now."""

    @call("getActiveModel", answers={200: ModelVersionOut})
    def get(self, request: Request) -> Response:
        """Return the active model version."""
        model = active_model()
        return Response(model_out(model, verdicts_on([model])))


class StatsView(RecognizerView):
    """The statistics of the whole site."""

    @call("getStats", answers={200: StatsOut})
    def get(self, request: Request) -> Response:
        """Return the statistics of the whole site."""
        return Response(StatsOut.model_validate(stats()))
