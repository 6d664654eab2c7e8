"""What holds for the repository as a whole."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

import SAMSegmentLib

ROOT = Path(__file__).parents[2]
LIBRARY = ROOT / "SAMSegment" / "SAMSegmentLib"

# In pieces, so that this file does not hold what it looks for.
PACKAGE_HOSTS = ["pypi" + ".org", "pythonhosted" + ".org", "download.pytorch" + ".org"]
MACHINE_PATH = re.compile(r"(?<![\w.~-])/(?:home|root|Users|work)/\w|\b[A-Z]:\\+Users\\")


def texts() -> dict[Path, str]:
    """The repository's own text files, tracked or new and not ignored, and what they say."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        ).stdout.decode()
        paths = [ROOT / name for name in listed.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):  # no git, or not a clone
        paths = [path for path in ROOT.rglob("*") if not made_by_tools(path.relative_to(ROOT))]
    contents = {path.relative_to(ROOT): path.read_bytes() for path in paths if path.is_file()}
    return {path: data.decode() for path, data in contents.items() if b"\0" not in data}


def made_by_tools(path: Path) -> bool:
    patterns = [".git", ".venv*", ".slicer-core*", ".*_cache", ".hypothesis", "__pycache__", "out"]
    return any(fnmatch(part, pattern) for part in path.parts for pattern in patterns)


def cmake_value(name: str) -> str:
    text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    return re.search(rf'set\({name} "([^"]*)"\)', text)[1]


def test_catalogue_entry_agrees_with_cmake():
    cmake = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    project = re.search(r"^project\((\w+)\)", cmake, re.MULTILINE)[1]
    entry_file = ROOT / "Resources" / f"{project}.json"
    entry = json.loads(entry_file.read_text(encoding="utf-8"))
    assert entry["build_dependencies"] == cmake_value("EXTENSION_DEPENDS").split()
    assert entry["scm_url"] == cmake_value("EXTENSION_HOMEPAGE") + ".git"
    assert entry["category"] == "Segmentation"
    assert not project.startswith("Slicer")


@pytest.mark.parametrize("name", ["EXTENSION_ICONURL", "EXTENSION_SCREENSHOTURLS"])
def test_pictures_of_the_catalogue_entry_exist(name):
    repository = cmake_value("EXTENSION_HOMEPAGE").removeprefix("https://github.com/")
    start = f"https://raw.githubusercontent.com/{repository}/main/"
    for url in cmake_value(name).split():
        assert url.startswith(start)
        assert (ROOT / url.removeprefix(start)).is_file()


def test_text_names_no_machine_and_no_package_registry():
    found = []
    for path, text in texts().items():
        for number, line in enumerate(text.splitlines(), start=1):
            if MACHINE_PATH.search(line) or any(host in line for host in PACKAGE_HOSTS):
                found.append(f"{path}:{number}: {line.strip()[:120]}")
    assert not found, "\n".join(found)


def test_text_files_have_unix_line_ends():
    assert [str(path) for path, text in texts().items() if "\r\n" in text] == []


def heading_anchors(markdown: str) -> set[str]:
    """What GitHub calls the headings of a page in links."""
    headings = re.findall(r"^#+ (.+)$", markdown, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_links_between_the_documents_lead_somewhere():
    broken = []
    for page, text in texts().items():
        if page.suffix != ".md":
            continue
        for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", text):
            name, _, anchor = link.partition("#")
            target = (ROOT / page.parent / name) if name else ROOT / page
            known = target.exists() and (
                not anchor or anchor in heading_anchors(target.read_text("utf-8"))
            )
            broken += [] if known else [f"{page}: {link}"]
    assert broken == []


def test_files_of_the_code_that_documents_name_exist():
    missing = []
    for page, text in texts().items():
        # The host's pages name files of Slicer.
        if page.suffix != ".md" or page.name == "CHANGELOG.md" or "SlicerHost" in page.parts:
            continue
        for name in re.findall(r"`(?!out/)([\w./-]+/[\w.-]+\.(?:py|json|toml))`", text):
            folders = [ROOT, LIBRARY, LIBRARY.parent, ROOT / "Testing", (ROOT / page).parent]
            missing += [] if any((f / name).exists() for f in folders) else [f"{page}: {name}"]
    assert missing == []


def test_readme_stays_short():
    assert len((ROOT / "README.md").read_text("utf-8").split()) < 900


def public_functions(body, prefix=""):
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node.body, f"{node.name}.")
        elif isinstance(node, ast.FunctionDef) and (
            node.name == "__init__" or not node.name.startswith("_")
        ):
            yield prefix + node.name, node.args


def test_parameters_of_public_functions_are_typed():
    untyped = []
    for path in (ROOT / "SAMSegment").rglob("*.py"):
        for name, given in public_functions(ast.parse(path.read_text("utf-8")).body):
            for one in (*given.posonlyargs, *given.args, *given.kwonlyargs):
                if one.annotation is None and one.arg not in ("self", "cls"):
                    untyped.append(f"{path.name}: {name}({one.arg})")
    assert untyped == []


def test_no_file_of_the_library_is_much_longer_than_400_lines():
    lines = {
        str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines())
        for path in LIBRARY.rglob("*.py")
    }
    assert {name: count for name, count in lines.items() if count > 450} == {}


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("SAMSegmentLib", {"torch", "numpy", "SimpleITK", "vtk", "slicer", "qt", "PySide6"}),
        ("SAMSegmentLib.core", {"torch", "vtk", "slicer", "qt", "PySide6"}),
        ("SAMSegmentLib.api", {"torch", "vtk", "slicer", "qt", "PySide6"}),
        (
            "SAMSegmentLib.__main__",
            {"torch", "vtk", "slicer", "qt", "PySide6", "surface_distance", "matplotlib"},
        ),
        pytest.param("SAMSegmentLib.logic", {"torch", "qt", "PySide6"}, marks=pytest.mark.mrml),
    ],
)
def test_import_loads_nothing_heavy(module, unwanted):
    # A fresh process: this one has loaded everything.
    code = f"import sys, {module}; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert unwanted & set(result.stdout.split()) == set()


def test_lazy_names_are_the_things_themselves():
    from SAMSegmentLib.api import Segmenter

    assert SAMSegmentLib.Segmenter is Segmenter
    assert SAMSegmentLib.__dict__["Segmenter"] is Segmenter
    with pytest.raises(AttributeError):
        _ = SAMSegmentLib.no_such_name


def test_one_version_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["version"] == SAMSegmentLib.__version__
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    released = re.findall(r"^## \[(\d[^]]*)\]", changelog, re.MULTILINE)
    assert released[:1] in ([], [SAMSegmentLib.__version__])
