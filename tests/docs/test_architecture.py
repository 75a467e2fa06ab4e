"""What docs/architecture.md says of the code must be there."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FUNCTION = re.compile(r"`([a-z][a-z0-9_]*)\(\)`")
FILE = re.compile(r"`((?:include|policy|daemon|cli|init|tests|docs|scripts)/[\w./-]*\w)`")


def sources():
    """All C code but the tests', as one text."""
    folders = ("include", "policy", "daemon", "cli")
    return "\n".join(
        path.read_text()
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*.[ch]"))
    )


def test_every_function_named_is_defined():
    """A function in the way of a request is one that the code defines."""
    text = (ROOT / "docs/architecture.md").read_text()
    code = sources()
    names = sorted(set(FUNCTION.findall(text)))
    assert len(names) >= 15
    missing = [n for n in names if not re.search(rf"^\w[^\n;]*\b{n}\(", code, re.M)]
    assert not missing


def test_every_file_named_exists():
    """A file or folder named is in the tree."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    assert pages
    missing = [
        (page.name, name)
        for page in pages
        for name in FILE.findall(page.read_text())
        if not (ROOT / name).exists()
    ]
    assert not missing


def test_the_check_can_fail():
    """A name that is in no source is found missing."""
    assert not re.search(r"^\w[^\n;]*\bno_such_function_here\(", sources(), re.M)
