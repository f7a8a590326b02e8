"""Webhooks in the admin: register, watch, try, send again, disable."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from recognizer.desk.access import needs, on_page, page, staff
from recognizer.desk.readonly import ReadOnlyAdmin
from recognizer.models import Event, Webhook
from recognizer.webhooks import managing
from recognizer.webhooks.addresses import LONGEST
from recognizer.webhooks.outbox import KEPT_FOR

SHOWN = 50
"""Messages that a webhook's page shows, the newest."""


class WebhookForm(forms.Form):
    """The address and the events of a new webhook."""

    url = forms.CharField(
        label=_("Address"),
        max_length=LONGEST,
        widget=forms.URLInput(attrs={"size": 60}),
        help_text=_("A public address that takes POST, such as https://example.org/."),
    )
    events = forms.MultipleChoiceField(
        label=_("Events"),
        # Called for each form: at import there is no language yet.
        choices=lambda: [(one.value, f"{one.value}: {one.label}") for one in Event],
        widget=forms.CheckboxSelectMultiple,
    )


@admin.register(Webhook)
class WebhookAdmin(ReadOnlyAdmin):
    """The site's webhooks, each with its last messages."""

    list_display = ("url", "wanted", "state", "failing_since", "created_at")
    list_filter = ("state",)
    fields = (
        "url",
        "wanted",
        "state",
        "failing_since",
        "created_at",
    )

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Require `add_webhook`."""
        return request.user.has_perm("recognizer.add_webhook")

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Ask for the address and the events of a webhook, and register it.

        The admin's own view does so in a transaction, in which nobody else could write
        while the address is looked up.
        """
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = WebhookForm(request.POST or None)
        if form.is_valid():
            try:
                webhook, secret = managing.register_webhook(
                    **form.cleaned_data, by=staff(request)
                )
            except managing.WebhookError as error:
                form.add_error(error.field or None, str(error))
            else:
                show_secret(request, secret)
                return redirect("admin:recognizer_webhook_change", webhook.pk)
        context = on_page(request, title=gettext("Register a webhook"), form=form)
        return render(request, "admin/recognizer/webhook/register.html", context)

    def delete_model(self, request: HttpRequest, obj: Webhook) -> None:
        """Delete a webhook with its messages."""
        managing.delete_webhook(webhook=obj, by=staff(request))

    def delete_queryset(
        self, request: HttpRequest, queryset: QuerySet[Webhook]
    ) -> None:
        """Delete webhooks with their messages."""
        for webhook in queryset:
            self.delete_model(request, webhook)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Name the webhooks alone: their messages need no permission of their own."""
        names = [str(one) for one in objs]
        return names, {Webhook._meta.verbose_name_plural: len(names)}, set(), []

    def get_urls(self) -> list[URLPattern]:
        """Add the addresses of the actions."""
        return [
            *(
                page(
                    f"<uuid:pk>/{name}/",
                    require_POST(needs("change_webhook")(acting(act))),
                    name=f"webhook-{name}",
                )
                for name, act in ACTIONS.items()
            ),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any
    ) -> Any:
        """Show the last messages too."""
        if webhook := self.get_object(request, object_id):
            kwargs["extra_context"] = {
                "webhook": webhook,
                "deliveries": webhook.deliveries.order_by("-pk")[:SHOWN],
            }
        return super().change_view(request, object_id, *args, **kwargs)

    @admin.display(description=_("events"))
    def wanted(self, webhook: Webhook) -> str:
        """Return the names of the events."""
        return ", ".join(webhook.events)


def show_secret(request: HttpRequest, secret: str) -> None:
    """Show a secret on the next page, once."""
    told = gettext("Copy the secret now, it is shown only once: %(secret)s")
    messages.warning(request, told % {"secret": secret})


Act = Callable[[HttpRequest, Webhook], None]


def acting(act: Act) -> Callable[[HttpRequest, UUID], HttpResponseBase]:
    """Return the view of an action, which leads back to the webhook's page."""

    def view(request: HttpRequest, pk: UUID) -> HttpResponseBase:
        try:
            act(request, get_object_or_404(Webhook, pk=pk))
        except managing.WebhookError as error:
            messages.error(request, str(error))
        return redirect("admin:recognizer_webhook_change", pk)

    return view


def test(request: HttpRequest, webhook: Webhook) -> None:
    """Queue a test event."""
    managing.send_test(webhook=webhook)
    told = gettext("A test event is on its way. Reload this page to see the answer.")
    messages.success(request, told)


def replay(request: HttpRequest, webhook: Webhook) -> None:
    """Queue the messages of the last week again: all, or those given up."""
    number = managing.send_again(
        webhook=webhook, since=KEPT_FOR, only_failed="failed" in request.POST
    )
    told = ngettext(
        "%(number)s message is sent again.",
        "%(number)s messages are sent again.",
        number,
    )
    messages.success(request, told % {"number": number})


def rotate(request: HttpRequest, webhook: Webhook) -> None:
    """Change the secret and show it once."""
    show_secret(request, managing.rotate_secret(webhook=webhook, by=staff(request)))


def disable(request: HttpRequest, webhook: Webhook) -> None:
    """Disable a webhook."""
    managing.disable_webhook(webhook=webhook, by=staff(request))
    messages.success(request, gettext("The webhook is disabled."))


def enable(request: HttpRequest, webhook: Webhook) -> None:
    """Enable a webhook."""
    managing.enable_webhook(webhook=webhook, by=staff(request))
    messages.success(request, gettext("The webhook is enabled."))


ACTIONS: dict[str, Act] = {
    "test": test,
    "replay": replay,
    "rotate": rotate,
    "disable": disable,
    "enable": enable,
}
