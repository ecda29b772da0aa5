"""Documentation: every link leads somewhere; every make target, script, file and class that it names is there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*.md"), *ROOT.glob("models/*/README.md")]
)
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`]*`")
LINK = re.compile(r"\[[^\]]*\]\((?P<path>[^)#\s]*)(?:#(?P<anchor>[^)\s]*))?\)")
HEADING = re.compile(r"^#+ (?P<text>.*)$", re.MULTILINE)
#: A file or folder of the code; words in capitals stand for something.
PATH = re.compile(
    r"`(?P<path>(?:backfill|bench|cli|config|deploy|examples|harness|samples|scripts|tasks|tests|training|web|worker)"
    r"/[\w./-]*)(?:::\w+)?`"
)
#: Something that a file defines: ``file.py:Name``.
DEFINED = re.compile(r"`(?P<path>[\w/]+\.py):(?P<name>\w+)`")
PLACEHOLDER = re.compile(r"\b[A-Z]{2,}\b")
MAKE = re.compile(r"^make (?P<targets>[a-z][a-z -]*)", re.MULTILINE)
SCRIPT = re.compile(r"(?<![\w/.])(?:\.ci|deploy|examples|samples|scripts)/[\w.-]+\.?(?:py|sh)|\.ci/run\b")


def page_id(page: Path) -> str:
    return str(page.relative_to(ROOT))


def anchors(page: Path) -> set[str]:
    """Those of its headings, as they are made on a page: lower case, hyphens for blanks, no other signs."""
    headings = [one["text"] for one in HEADING.finditer(FENCE.sub("", page.read_text("utf-8")))]
    return {re.sub(r"[^\w\- ]", "", text.lower()).strip().replace(" ", "-") for text in headings}


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_link_leads_somewhere(page: Path) -> None:
    wrong = []
    for link in LINK.finditer(CODE.sub("", FENCE.sub("", page.read_text("utf-8")))):
        if re.match(r"[a-z]+:", link["path"]):
            continue
        target = (page.parent / link["path"]).resolve() if link["path"] else page
        if not target.exists():
            wrong.append(f"{link[0]}: no such file")
        elif link["anchor"] and link["anchor"] not in anchors(target):
            wrong.append(f"{link[0]}: no such heading")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_what_it_says_to_run_is_there(page: Path) -> None:
    text = page.read_text("utf-8")
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = {name for found in MAKE.finditer(text) for name in found["targets"].split() if name != "PROCESSES"}
    wrong = [f"make {name}" for name in sorted(targets) if not re.search(rf"^{name}:", makefile, re.MULTILINE)]
    wrong += [name for name in sorted(set(SCRIPT.findall(text))) if not (ROOT / name).exists()]
    assert not wrong


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=page_id)
def test_every_file_that_it_names_is_there(page: Path) -> None:
    named = {found["path"] for found in PATH.finditer(page.read_text("utf-8"))}
    assert [path for path in sorted(named) if not PLACEHOLDER.search(path) and not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_name_is_where_it_says(page: Path) -> None:
    named = {(found["path"], found["name"]) for found in DEFINED.finditer(page.read_text("utf-8"))}
    assert [f"{path}:{name}" for path, name in sorted(named) if name not in definitions(path)] == []


@cache
def definitions(path: str) -> frozenset[str]:
    """Classes, functions and values at the top of a file; none of a file that is not there."""
    if not (ROOT / path).is_file():
        return frozenset()
    found = set()
    for node in ast.parse((ROOT / path).read_text("utf-8")).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}
    return frozenset(found)


def test_the_glossary_names_where_its_words_are() -> None:
    assert len(DEFINED.findall((ROOT / "docs" / "glossary.md").read_text("utf-8"))) > 50


def test_every_decision_is_in_the_table() -> None:
    folder = ROOT / "docs" / "decisions"
    written = sorted(path.name for path in folder.glob("[0-9]*.md"))
    listed = re.findall(r"\(([0-9]{4}-[a-z-]+\.md)\)", (folder / "README.md").read_text("utf-8"))
    assert written == listed
    assert [name[:4] for name in written] == [f"{number:04}" for number in range(1, len(written) + 1)]
    for name in written:
        page = (folder / name).read_text("utf-8")
        assert page.startswith(f"# {name[:4]}: ")
        assert [f"## {part}\n" in page for part in ("Context", "Decision", "Consequences")] == [True] * 3
