"""The one part of the package's metadata that is computed: its page, made of the readme.

A page of a package has no files beside it: links to files of this project become the places where they are installed.
"""

import re
from pathlib import Path
from tempfile import TemporaryDirectory

from setuptools import setup

PICTURE = re.compile(r"!\[[^\]]*\]\((?!https?:)[^)]*\)\n*")
LINK = re.compile(r"\[(?P<text>[^\]]*)\]\((?!https?:)(?P<path>[^)#]*)[^)]*\)")
#: Folders that are installed below `sluice/`.
INSTALLED = ("docs/", "models/")


def page(readme: str) -> str:
    """The readme without pictures and links that lead nowhere."""
    return LINK.sub(_installed, PICTURE.sub("", readme))


def _installed(link: re.Match[str]) -> str:
    if not link["path"].startswith(INSTALLED):
        return link["text"]
    place = f"`sluice/{link['path']}`"
    return place if link["text"] == link["path"] else f"{link['text']} ({place})"


#: What an earlier build left in ./build would be packed again, files that are gone since then too.
build_folder = TemporaryDirectory(prefix="sluice-build-")

setup(
    options={"build": {"build_base": build_folder.name}},
    long_description=page((Path(__file__).parent / "README.md").read_text(encoding="utf-8")),
    long_description_content_type="text/markdown",
)
