"""Values of options that click has no type for."""

from __future__ import annotations

import click


class LayerCount(click.ParamType):
    """A number of layers, 0 or more, or `none`, which is -1 here."""

    name = "N|none"
    NONE = -1

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Raises click.BadParameter for anything else."""
        if isinstance(value, int):
            return value
        text = str(value).strip().lower()
        if text == "none":
            return self.NONE
        if not text.isascii() or not text.isdigit():
            self.fail(f"{value!r} is neither a number of layers, 0 or more, nor none.", param, ctx)
        return int(text)
