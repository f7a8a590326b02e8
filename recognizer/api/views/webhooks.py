"""Views of the site's webhooks, for administrators."""

from typing import Any, cast
from uuid import UUID

from django.shortcuts import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from recognizer.api.auth import ManagesWebhooks, check_own_password
from recognizer.api.contract.incoming import WebhookIn
from recognizer.api.contract.judging import judged
from recognizer.api.contract.outgoing import (
    WebhookOut,
    WebhookRegisteredOut,
    WebhooksOut,
)
from recognizer.api.schema import call
from recognizer.api.views.base import RecognizerView
from recognizer.models import User, Webhook
from recognizer.webhooks.managing import delete_webhook, register_webhook


class WebhooksView(RecognizerView):
    """All webhooks."""

    permission_classes = (ManagesWebhooks,)

    @call("listWebhooks", answers={200: WebhooksOut})
    def get(self, request: Request) -> Response:
        """List the site's webhooks, oldest first; for administrators."""
        found = Webhook.objects.order_by("pk")
        return Response(
            WebhooksOut(results=[WebhookOut.model_validate(one) for one in found])
        )

    @call("registerWebhook", takes=WebhookIn, answers={201: WebhookRegisteredOut})
    def post(self, request: Request) -> Response:
        """Register a webhook; its secret is shown only here; for administrators."""
        user = cast(User, request.user)  # checked by ManagesWebhooks
        given = judged(WebhookIn, request.data)
        if request.auth is None:  # a browser, which somebody may have left open
            check_own_password(request, given.password)
        webhook, secret = register_webhook(url=given.url, events=given.events, by=user)
        shown: dict[str, Any] = WebhookOut.model_validate(webhook).model_dump()
        return Response(WebhookRegisteredOut(**shown, secret=secret), status=201)


class WebhookView(RecognizerView):
    """One webhook."""

    permission_classes = (ManagesWebhooks,)

    @call("deleteWebhook", answers={204: None}, of_one=True)
    def delete(self, request: Request, webhook_id: UUID) -> Response:
        """Delete a webhook with its messages; for administrators."""
        webhook = get_object_or_404(Webhook, pk=webhook_id)
        delete_webhook(webhook=webhook, by=cast(User, request.user))
        return Response(status=204)
