"""Which addresses a webhook may have: public ones only.

Otherwise the site could be made to call its own network (server-side request forgery).
A URL is judged when it is registered, and again by `public_socket`: every connection
begins there, with the very address that is then connected to. So it does not matter
what a name is resolved to later, or how an address is spelt.
"""

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.utils.translation import gettext as _

LONGEST = 500
_NAT64 = IPv6Network("64:ff9b::/96")  # the last 32 bits are an IPv4 address
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_6TO4 = IPv6Network("2002::/16")


class AddressError(ValueError):
    """A webhook may not have this address; the message says why."""


class PrivateAddressError(OSError):
    """A name leads to an address that is not public."""


def check(url: str) -> None:
    """Judge the URL of a new webhook.

    A name that cannot be resolved now is accepted: each connection is judged again.

    Raises:
        AddressError: it is no URL that the site may call.
    """
    schemes = ["https"] if settings.PRODUCTION else ["https", "http"]
    try:
        URLValidator(schemes=schemes)(url)
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except (ValidationError, ValueError):
        host = port = None
    if not host or not url.isascii() or len(url) > LONGEST:
        if settings.PRODUCTION:
            raise AddressError(
                _(
                    "The address must be a URL that begins with https://, such as "
                    "https://example.org/hook, in at most 500 ASCII characters."
                )
            )
        raise AddressError(
            _(
                "The address must be a URL such as https://example.org/hook, in at "
                "most 500 ASCII characters."
            )
        )
    if "@" in parts.netloc or parts.fragment:
        raise AddressError(
            _(
                "The address must have no user name, no password and no fragment. "
                "Verify the signature instead."
            )
        )
    try:
        found = socket.getaddrinfo(host, port or 443, type=socket.SOCK_STREAM)
    except OSError:  # no such name, at least for now
        return
    if not all(may_connect_to(str(address[0])) for *_rest, address in found):
        raise AddressError(
            _(
                "%(host)s leads to an address that is not public, which webhooks may "
                "not call. Use a public address."
            )
            % {"host": host}
        )


def public_socket(address: Any) -> socket.socket:
    """Make the socket of a connection to an address of `getaddrinfo`.

    Raises:
        PrivateAddressError: it is not public.
    """
    family, kind, protocol, _name, (host, *_port) = address
    if not may_connect_to(host):
        raise PrivateAddressError("The name leads to an address that is not public.")
    return socket.socket(family, kind, protocol)


def may_connect_to(host: str) -> bool:
    """Return whether a numeric address is public, or all are allowed."""
    return settings.WEBHOOKS_TO_PRIVATE_ADDRESSES or _is_public(ip_address(host))


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return _is_public(address.ipv4_mapped)
        if address in _NAT64:
            return _is_public(IPv4Address(address.packed[-4:]))
        if address not in _GLOBAL_UNICAST or address in _6TO4:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved
