"""The extras of the installed package: which of their modules are absent, and how to get them.

A client needs none of them; `sluice up` needs most. What an extra holds is read from the package's own metadata.
"""

from __future__ import annotations

import re
from importlib import metadata
from importlib.util import find_spec

import click

from sluice.config.paths import IN_CHECKOUT

PACKAGE = "sluice"
#: Requirements that hold on some Pythons only are left out: what they bring has a substitute.
REQUIREMENT = re.compile(r"""(?P<name>[\w.-]+)(\[(?P<extras>[\w,-]+)\])?[^;]*; extra == ['"](?P<extra>[\w-]+)['"]""")
#: Distributions whose module has another name.
MODULES = {"scikit-learn": "sklearn"}
#: Absent modules that are named before "and more".
SHOWN = 3


def require(*extras: str) -> None:
    """What the running command needs.

    Raises:
        click.ClickException: modules are absent; one line names them and what to install.
    """
    absent = {extra: missing for extra in extras if (missing := [one for one in modules(extra) if not _there(one)])}
    if not absent:
        return
    names = list(dict.fromkeys(name for missing in absent.values() for name in missing))
    shown = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
    extra = next(iter(absent)) if len(absent) == 1 else "service"
    command = click.get_current_context().command_path
    raise click.ClickException(f"`{command}` needs packages that are not installed ({shown}): {install(extra)}")


def explain(module: str) -> str:
    """One line about a module that was to be imported and is not there; empty if no extra brings it."""
    module = module.partition(".")[0]
    extra = next((one for one in _extras() if module in modules(one)), None)
    return f"the package {module} is not installed: {install(extra)}" if extra else ""


def install(extra: str) -> str:
    """The command that installs ``extra``."""
    return f"pip install -e '.[{extra}]'" if IN_CHECKOUT else f"pip install '{PACKAGE}[{extra}]'"


def modules(extra: str) -> list[str]:
    """Names of the modules that ``extra`` brings, those of the extras it is made of included."""
    found: list[str] = []
    for line in _requirements():
        one = REQUIREMENT.fullmatch(line)
        if one is None or one["extra"] != extra:
            continue
        if one["name"] == PACKAGE:
            found += [module for part in one["extras"].split(",") for module in modules(part)]
        else:
            found.append(MODULES.get(one["name"], one["name"].replace("-", "_")))
    return list(dict.fromkeys(found))


def _there(module: str) -> bool:
    return find_spec(module) is not None


def _requirements() -> list[str]:
    try:
        return metadata.requires(PACKAGE) or []
    except metadata.PackageNotFoundError:  # run from its folder, installed nowhere
        return []


def _extras() -> list[str]:
    try:
        return metadata.metadata(PACKAGE).get_all("Provides-Extra") or []
    except metadata.PackageNotFoundError:
        return []
