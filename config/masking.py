"""URLs as a screen may show them: recognisable, without their passwords, in whatever form those were written."""

from __future__ import annotations

import re

MASK = "********"

#: Where a list of URLs goes on, as kombu takes one for fail-over.
NEXT_URL = re.compile(r";(?=[A-Za-z][A-Za-z0-9+.-]*://)")
#: A place that holds no more than a host and a port.
PLACE = re.compile(r"(\[[^\[\]@]*\]|[^:\[\]@]*)(:\d*)?")


def masked_url(url: str) -> str:
    """``url``, or several with ``;`` between them: user, place and path stay, password and query do not.

    What cannot be told apart from a password is masked too, as in a URL whose password should have been quoted.
    """
    return ";".join(_masked(one) for one in NEXT_URL.split(url))


def _masked(url: str) -> str:
    scheme, is_url, rest = url.partition("://")
    if not is_url:
        return MASK
    # The last "@", wherever it stands: a password with an unquoted "/", "?" or "#" ends there as well.
    login, at, where = rest.rpartition("@")
    where = re.split("[?#]", where, maxsplit=1)[0]
    place, slash, path = where.partition("/")
    if not PLACE.fullmatch(place):
        place = MASK
    if at:
        user, colon, _ = login.partition(":")
        at = f"{user}:{MASK}@" if colon and not re.search("[/?#;@]", user) else f"{MASK}@"
    return f"{scheme}://{at}{place}{slash}{path}"
