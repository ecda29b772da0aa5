"""What is wrong with settings, in one line: each setting by name, the value that was given, and what it takes."""

from __future__ import annotations

import os
from typing import Any, Literal, get_args, get_origin

from pydantic import AliasChoices, BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

#: Longest value that is shown.
SHOWN = 60
SERVICE_LINK = (
    "Kubernetes sets this for a Service of that name: put `enableServiceLinks: false` into the pod, give the Service"
    " another name, or set it to a port"
)


def complaint(exc: ValidationError, settings: type[BaseModel], prefix: str) -> str:
    """One line for all that pydantic found.

    Args:
        settings: the class whose values were refused.
        prefix: of the environment variables.
    """
    return "; ".join(_one(error, settings, prefix) for error in exc.errors(include_url=False))


def _one(error: ErrorDetails, settings: type[BaseModel], prefix: str) -> str:
    message = error["msg"].removeprefix("Value error, ")
    if not error["loc"]:
        return message
    name = str(error["loc"][0])
    info = _field(name, settings, prefix)
    name = _given_name(name, info, prefix)
    if error["type"] == "value_error" or info is None:
        return f"{name}: {message}"
    given = "this value" if _secret(info) else _shown(error["input"])
    if str(error["input"]).startswith(("tcp://", "udp://")):
        return f"{name}: {given} is no port; {SERVICE_LINK}"
    return f"{name}: {given} is not allowed, it takes {allowed(info)}"


def _given_name(name: str, info: FieldInfo | None, prefix: str) -> str:
    """The variable that the value came from, as far as the environment tells; pydantic names the first alias."""
    aliases = info.validation_alias if info is not None else None
    if isinstance(aliases, AliasChoices):
        name = next((str(one) for one in aliases.choices if str(one) in os.environ), name)
    return prefix + name.upper() if name.islower() else name


def _field(name: str, settings: type[BaseModel], prefix: str) -> FieldInfo | None:
    """The field that a place in pydantic's error names: by itself or by an alias."""
    bare = name.removeprefix(prefix).lower()
    known = settings.model_fields
    return known.get(bare) or known.get(bare.partition("_")[2])


def allowed(info: FieldInfo) -> str:
    """What a setting takes, in words."""
    kind = info.annotation
    if get_origin(kind) is Literal:
        return _listed([str(one) for one in get_args(kind)])
    if kind is bool:
        return "true or false"
    if kind in (int, float):
        return ("a whole number" if kind is int else "a number") + _limits(info.metadata)
    pattern = next((one for one in info.metadata if getattr(one, "pattern", None)), None)
    if pattern is not None and info.description:
        return info.description.partition(";")[0]
    return f"a text that is not empty ({info.description})" if kind is str else str(info.description)


def _limits(metadata: list[Any]) -> str:
    words = {"ge": "from {}", "gt": "above {},", "le": "to {}", "lt": "below {}"}
    found = [word.format(getattr(one, name)) for name, word in words.items() for one in metadata if hasattr(one, name)]
    return "".join(f" {one}" for one in found)


def _listed(values: list[str]) -> str:
    return f"{', '.join(values[:-1])} or {values[-1]}" if len(values) > 1 else values[0]


def _secret(info: FieldInfo) -> bool:
    def holds(kind: Any) -> bool:
        return kind is SecretStr or any(map(holds, get_args(kind)))

    return holds(info.annotation)


def _shown(value: object) -> str:
    text = str(value)
    return repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}…")
