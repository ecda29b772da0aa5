"""Environment variables that look like settings and are none: a misspelt one would be ignored in silence."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from dotenv import dotenv_values

from sluice.config.settings import PREFIX, Settings

#: Read by ``docker-compose.yml`` itself, and kept in the same .env file.
COMPOSE = {"SLUICE_IMAGE", "SLUICE_MODELS_DIR", "SLUICE_PUBLISH", "SLUICE_RABBITMQ_PASSWORD"}
#: What Kubernetes sets in a pod for each Service, here for those whose names begin with "sluice".
LINK = re.compile(r"SLUICE_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)")
LINKED = re.compile(r"(tcp|udp|sctp)://")

_told = False


def tell_once(write: Callable[[str], object], env_file: Path = Path(".env")) -> None:
    """Call ``write`` with a line for each such variable; once in a process, whoever asks first."""
    global _told
    if _told:
        return
    _told = True
    for line in unknown(os.environ, _of_file(env_file)):
        write(line)


def unknown(environment: Mapping[str, str], file: Mapping[str, str | None]) -> Iterator[str]:
    """A sentence for each variable with our prefix that no setting has, with the nearest that one has."""
    known = [field.upper() for field in Settings.model_fields]
    for where, given in (("", environment), (" (in .env)", file)):
        for name, value in sorted(given.items()):
            bare = name.upper().removeprefix(PREFIX)
            if not value or bare in known or not name.upper().startswith(PREFIX) or _of_others(name.upper(), value):
                continue
            near = difflib.get_close_matches(bare, known, n=1)
            advice = f"did you mean {PREFIX}{near[0]}?" if near else "`sluice config` lists the settings"
            yield f"{name}{where} is no setting and has no effect; {advice}"


def _of_others(name: str, value: str) -> bool:
    return name in COMPOSE or bool(LINK.fullmatch(name) or LINKED.match(value))


def _of_file(path: Path) -> Mapping[str, str | None]:
    try:
        return dotenv_values(path) if path.is_file() else {}
    except (OSError, ValueError):
        return {}  # who reads the settings says so
