"""All addresses of the site, for tests that look at every one."""

from collections.abc import Iterator
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver, reverse

NOBODYS = "01a20aab-e832-7642-880c-5b3a15f35f22"
_FILLED = {
    "submission_id": NOBODYS,
    "token_id": NOBODYS,
    "webhook_id": NOBODYS,
    "pk": NOBODYS,
    "object_id": NOBODYS,
    "uidb64": "MQ",
    "token": "x-y",
    "digest": "0" * 64,
    "app_label": "recognizer",
    "content_type_id": "1",
    "id": "1",
    "name": "model.tflite",
    "url": "nowhere/",
}
UNNAMED = ["/api/", "/api/nowhere/", "/favicon.ico", "/nowhere/"]


def named_addresses() -> dict[str, Any]:
    """Return every address that has a name, with its view."""
    return dict(_walk(get_resolver(), ""))


def _walk(resolver: URLResolver, namespace: str) -> Iterator[tuple[str, Any]]:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else ""
            yield from _walk(pattern, inner or namespace)
        elif isinstance(pattern, URLPattern) and pattern.name:
            names = pattern.pattern.regex.groupindex
            filled = {name: _FILLED[name] for name in names}
            yield reverse(f"{namespace}{pattern.name}", kwargs=filled), pattern.callback
