"""URLs of broker and results: whether they can be read, and the form in which every library reads them alike."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from sluice.config.masking import NEXT_URL

UNREADABLE = "it cannot be read as a URL: in a password, write / as %2F, @ as %40, : as %3A, # as %23 and ? as %3F"

#: A scheme, a host (IPv6 in brackets) and perhaps a port, nothing behind them.
ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://([^\s/?#@:\[\]]+|\[[0-9a-f:.]+\])(:\d+)?")
#: Ports that a browser leaves out of an origin.
USUAL_PORTS = {"http": ":80", "https": ":443"}
DATABASE = re.compile(r"/*\d*/*")


def require_readable(url: str, schemes: Sequence[str]) -> None:
    """Check ``url``, or each of several with ``;`` between them, before a library quotes its password in an error.

    Raises:
        ValueError: what is wrong, without any part that might be a password.
    """
    for one in NEXT_URL.split(url):
        scheme, is_url, _ = one.partition("://")
        if not is_url:
            raise ValueError(f"it does not begin as a URL does, with one of {', '.join(schemes)} and ://")
        if scheme not in schemes:
            raise ValueError(f"the scheme {scheme!r} is not one of {', '.join(schemes)}")
        if not _readable(one):
            raise ValueError(UNREADABLE)
        if urlsplit(one).port == 0:
            raise ValueError("its port is no number from 1 to 65535")
        if scheme in ("redis", "rediss") and not DATABASE.fullmatch(urlsplit(one).path):
            raise ValueError("the database behind the host, as in redis://host:6379/0, is no number")


def _readable(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    # An "@" behind the place means that the password ended too early, unless it is a password in the query.
    rest = parts.path + parts.fragment + ("" if "password=" in parts.query else parts.query)
    return "@" not in rest and ";" not in parts.netloc


def usable(url: str) -> str:
    """``url`` as kombu, Celery and redis-py alike take it: login in front of the host, certificates checked."""
    return ";".join(_checked(_login_in_front(one)) for one in NEXT_URL.split(url))


def _login_in_front(url: str) -> str:
    """``?username=`` and ``?password=``, which redis-py and Celery's backend know and kombu does not."""
    head, _, query = url.partition("?")
    given = dict(parse_qsl(query))
    if not given.keys() & {"username", "password"}:
        return url
    scheme, _, rest = head.partition("://")
    login, _, where = rest.rpartition("@")
    user, _, password = login.partition(":")
    user = quote(given.pop("username", ""), safe="") or user
    password = quote(given.pop("password", ""), safe="") or password
    more = f"?{urlencode(given)}" if given else ""
    return f"{scheme}://{user}:{password}@{where}{more}"


def _checked(url: str) -> str:
    """A ``rediss://`` URL must say how certificates are checked; unless it does, they are."""
    if not url.startswith("rediss://") or "ssl_cert_reqs=" in url:
        return url
    return f"{url}{'&' if '?' in url else '?'}ssl_cert_reqs=required"


def origin(given: str) -> str:
    """An origin as browsers send it, or ``*``: in lower case, without its usual port and the slash that people add.

    Raises:
        ValueError: it is none.
    """
    found = given.strip().lower().rstrip("/")
    if found == "*":
        return found
    if not (found.isascii() and ORIGIN.fullmatch(found)):
        raise ValueError(
            f"{given.strip()!r} is no origin: give scheme://host or scheme://host:port (a name in other letters in its"
            " xn-- form), or * for all"
        )
    return found.removesuffix(USUAL_PORTS.get(found.partition(":")[0], ""))
