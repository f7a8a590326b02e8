"""Addresses of the pages."""

from django.contrib.auth.views import PasswordResetDoneView
from django.templatetags.static import static
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import RedirectView
from django.views.i18n import set_language

from recognizer.ops.error_views import unknown_api_address
from recognizer.pages import (
    accounts,
    history,
    how_it_learns,
    offline,
    privacy,
    reader,
    second_factor,
    upload,
)
from recognizer.pages import model as model_page
from recognizer.pages.draw import draw

urlpatterns = [
    path("", draw, name="draw"),
    # No CSRF token: it would set a cookie for everyone, only to protect a preference.
    path("language/", csrf_exempt(set_language), name="set_language"),
    path("reader/<str:digest>/", reader.bundle, name="reader"),
    path("reader/<str:digest>/model.tflite", reader.weights, name="reader-weights"),
    # At the root: a service worker rules over the addresses below its own.
    path("service-worker.js", offline.service_worker, name="service-worker"),
    path("offline/", offline.offline, name="offline"),
    path("upload/", upload.upload, name="upload"),
    path("history/", history.history, name="history"),
    path("history/consent/", history.set_consent, name="consent"),
    path("history/delete/", history.delete_all, name="delete-all"),
    path("history/<uuid:submission_id>/", history.drawing, name="drawing"),
    path(
        "history/<uuid:submission_id>/feedback/",
        history.give_feedback,
        name="drawing-feedback",
    ),
    path("history/<uuid:submission_id>/delete/", history.delete, name="drawing-delete"),
    path("model/", model_page.model, name="model"),
    path("how-it-learns/", how_it_learns.how_it_learns, name="how-it-learns"),
    path("privacy/", privacy.privacy, name="privacy"),
    path("account/", accounts.account, name="account"),
    path("account/sign-in/", accounts.SignInView.as_view(), name="sign-in"),
    path("account/sign-in/code/", second_factor.enter_code, name="sign-in-code"),
    path("account/factor/", second_factor.factor, name="factor"),
    path(
        "account/factor/confirm/", second_factor.confirm_factor, name="factor-confirm"
    ),
    path("account/sessions/", accounts.end_sessions, name="sessions"),
    path("account/sign-up/", accounts.sign_up, name="sign-up"),
    path("account/sign-out/", accounts.SignOutView.as_view(), name="sign-out"),
    path("account/email/", accounts.change_email, name="email"),
    path(
        "account/password/",
        accounts.ChangePasswordView.as_view(),
        name="password-change",
    ),
    path(
        "account/password/forgotten/",
        accounts.ForgottenPasswordView.as_view(),
        name="password-reset",
    ),
    path(
        "account/password/sent/",
        PasswordResetDoneView.as_view(template_name="recognizer/password_sent.html"),
        name="password-reset-sent",
    ),
    path(
        "account/password/new/<uidb64>/<token>/",
        accounts.NewPasswordView.as_view(),
        name="password-reset-confirm",
    ),
    path("account/delete/", accounts.delete_account, name="account-delete"),
    path("account/consent/", accounts.set_consent, name="account-consent"),
    path("account/tokens/", accounts.make_token, name="account-tokens"),
    path(
        "account/tokens/<uuid:token_id>/revoke/",
        accounts.revoke_token,
        name="account-token-revoke",
    ),
    path("api/", unknown_api_address),
    path("api/<path:rest>", unknown_api_address),
    # Browsers request it for pages that name no icon, such as the admin's.
    path(
        "favicon.ico", RedirectView.as_view(url=static("recognizer/icons/favicon.svg"))
    ),
]
