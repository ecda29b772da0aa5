"""The measurements behind ``docs/``: each is one command."""
