"""Where a model's files are: a folder, the hub's cache, or the hub; never a long wait for a network."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TypedDict

from sluice.tasks.errors import ModelUnavailable

REQUEST_TIMEOUT_S = 5.0
"""For one request to the hub."""
PROBE_TIMEOUT_S = 8.0
"""For name resolution, proxies and the request together."""


class LoadOptions(TypedDict, total=False):
    """Keyword arguments of the library's `from_pretrained` and the hub's downloads."""

    local_files_only: bool


def local_folder(spec: str, setting: str = "SLUICE_MODEL") -> Path | None:
    """The folder that `spec` names, or None when it can only be a hub id.

    Raises ModelUnavailable when it looks like a path but nothing is there.
    """
    path = Path(spec).expanduser()
    if path.is_dir():
        return path
    looks_like_path = path.is_absolute() or spec.startswith((".", "~")) or spec.count("/") > 1 or path.exists()
    if looks_like_path or not _is_hub_id(spec):
        raise ModelUnavailable(f"There is no model folder at {spec!r}: set {setting} to a folder or a hub id.")
    return None


def _is_hub_id(spec: str) -> bool:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(spec)
    except HFValidationError:
        return False
    return True


def in_cache(hub_id: str, file: str = "config.json") -> bool:
    """Whether the hub's cache on this machine holds `file` of `hub_id`."""
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(hub_id, file), str)


def revision(hub_id: str, setting: str = "SLUICE_MODEL", file: str = "config.json") -> str:
    """The commit of `hub_id` that will be loaded; asks the hub only for what is not in the cache.

    Raises ModelUnavailable when it cannot be had.
    """
    from huggingface_hub import hf_hub_download

    name, options = source(hub_id, setting)
    try:
        return Path(hf_hub_download(name, file, **options)).parent.name
    except Exception as error:
        raise ModelUnavailable(
            f"The model {hub_id!r} cannot be had from the hub ({type(error).__name__}): set {setting} to a folder."
        ) from error


def require_reachable(hub_id: str, setting: str = "SLUICE_MODEL") -> None:
    """Asks the hub for `hub_id` once, within `PROBE_TIMEOUT_S` seconds.

    Raises ModelUnavailable when it does not answer or does not have it.
    """
    problem = _probe(hub_id)
    if problem is not None:
        raise ModelUnavailable(
            f"Model {hub_id!r} is not in the local cache and {problem}: "
            f"set {setting} to a folder, or download it first."
        )


def _probe(hub_id: str) -> str | None:
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import RepositoryNotFoundError

    if constants.HF_HUB_OFFLINE:
        return "the hub is switched off (HF_HUB_OFFLINE)"
    answer: list[str | None] = []

    def ask() -> None:
        try:
            HfApi().model_info(hub_id, timeout=REQUEST_TIMEOUT_S)
            answer.append(None)
        except RepositoryNotFoundError:
            answer.append("the hub has no such public model")
        except Exception as error:  # any failure means the same here: it cannot be had
            answer.append(f"the hub cannot be reached ({type(error).__name__})")

    asking = threading.Thread(target=ask, name="hub-probe", daemon=True)
    asking.start()
    asking.join(PROBE_TIMEOUT_S)
    return answer[0] if answer else f"the hub did not answer within {PROBE_TIMEOUT_S:.0f} s"


def source(spec: str, setting: str = "SLUICE_MODEL") -> tuple[str, LoadOptions]:
    """What to hand to `from_pretrained`: the name and its keyword arguments.

    Folders and cached models are read without the network.
    Raises ModelUnavailable when `spec` is neither and the hub cannot provide it.
    """
    folder = local_folder(spec, setting)
    if folder is not None:
        return str(folder), {"local_files_only": True}
    if in_cache(spec):
        return spec, {"local_files_only": True}
    require_reachable(spec, setting)
    return spec, {}
