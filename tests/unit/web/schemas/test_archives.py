"""The fields of an archive's form."""

from __future__ import annotations

from sluice.backfill.formats.table import NAMES
from sluice.web.schemas.archives import ArchiveRequest


def test_the_formats_are_those_that_can_be_read() -> None:
    schema = ArchiveRequest.model_json_schema()["properties"]["format"]["anyOf"][0]["enum"]
    assert tuple(schema) == NAMES
