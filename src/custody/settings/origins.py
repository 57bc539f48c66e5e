"""Where calls may come from: addresses, networks and the names that services call themselves by.

One form each, so that texts can be compared: IPv4-mapped IPv6 becomes IPv4, IPv6 its short lower-case form (RFC 5952),
a network of one address that address, a name lower case.
"""

import ipaddress
import re

from custody.errors import UsageError
from custody.settings.amounts import shown

ORIGIN_FORM = "an address, a network such as 10.0.0.0/8, or a service name such as ec2.amazonaws.com"
LITERALS = ("AWS Internal",)
"""Origins that logs have besides addresses and host names, as they are written there."""

_NAME = re.compile(r"(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def canonical_origin(text: str) -> str:
    """The one form of an origin; raises UsageError for what is none, and for a network that holds every address."""
    if text in LITERALS:
        return text
    if _NAME.fullmatch(text.lower()):
        return text.lower()
    network = _unmapped(_network(text))
    if network.prefixlen == 0:
        advice = "leave the origins out where calls may come from anywhere"
        raise UsageError("every address is no origin", found=shown(text), expected=ORIGIN_FORM, advice=advice)
    single = network.prefixlen == network.max_prefixlen
    return str(network.network_address) if single else str(network)


def _network(text: str) -> Network:
    if "%" in text:
        advice = "leave the zone out: it has a meaning on one machine only"
        raise UsageError("not an origin", found=shown(text), expected=ORIGIN_FORM, advice=advice)
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise UsageError("not an origin", found=shown(text), expected=ORIGIN_FORM, advice=_advice(text)) from error


def _advice(text: str) -> str:
    try:
        return f"the network of that address is {ipaddress.ip_network(text, strict=False)}"
    except ValueError:
        return ""


def _unmapped(network: Network) -> Network:
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_MAPPED):
        address = int(network.network_address) & 0xFFFF_FFFF
        return ipaddress.IPv4Network((address, network.prefixlen - 96))
    return network
