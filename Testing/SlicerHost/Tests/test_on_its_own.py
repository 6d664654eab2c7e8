"""The host can carry any scripted effect: it knows none of this project's code."""

import ast
from pathlib import Path

HOST = Path(__file__).parents[1]
OURS = {"SAMSegment", "SAMSegmentLib", "TestSupport", "Training"}


def imported(path: Path) -> set[str]:
    """The packages that a file imports, by their first name."""
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [n.module for n in nodes if isinstance(n, ast.ImportFrom) and n.level == 0]
    return {name.split(".")[0] for name in names}


def test_it_imports_nothing_of_the_project():
    files = [path for path in HOST.rglob("*.py") if "Tests" not in path.parts]
    assert len(files) > 20
    assert {path.name: imported(path) & OURS for path in files if imported(path) & OURS} == {}
