"""Keeps the lists of files in SAMSegment/CMakeLists.txt as the folder is.

Slicer installs exactly the files that are listed; one that is not is missing from the package.
"""

from __future__ import annotations

import re
from pathlib import Path


def files_on_disk(module_folder: Path) -> dict[str, list[str]]:
    """The module's files by list name, sorted, relative to its folder and with `/`."""
    names = []
    for path in module_folder.rglob("*"):
        parts = path.relative_to(module_folder).parts
        hidden = any(part == "__pycache__" or part.startswith(".") for part in parts)
        if path.is_file() and not hidden and parts != ("CMakeLists.txt",):
            names.append("/".join(parts))
    return {
        "SCRIPTS": sorted(name for name in names if name.endswith(".py")),
        "RESOURCES": sorted(name for name in names if not name.endswith((".py", ".pyc"))),
    }


def files_listed(cmake_text: str) -> dict[str, list[str]]:
    """The files in `CMakeLists.txt`, in its order."""
    return {
        name: [line.strip() for line in body.splitlines() if line.strip()]
        for name, body in re.findall(r"# BEGIN (\w+).*\n((?:.*\n)*?)\s*# END \1", cmake_text)
    }


def updated(cmake_text: str, files: dict[str, list[str]]) -> str:
    """`cmake_text` with the lists between the marks replaced."""
    for name, entries in files.items():
        body = "".join(f"  {entry}\n" for entry in entries)
        pattern = rf"(# BEGIN {name}.*\n)(?:.*\n)*?(\s*# END {name})"
        # A function as replacement: file names are taken as they stand.
        cmake_text, count = re.subn(pattern, lambda m, b=body: m[1] + b + m[2], cmake_text)
        if count != 1:
            raise ValueError(f"CMakeLists.txt needs one pair of marks for {name}, has {count}")
    return cmake_text


def write(module_folder: Path) -> int:
    """Rewrite the lists; returns 0."""
    cmake_file = module_folder / "CMakeLists.txt"
    old = cmake_file.read_text(encoding="utf-8")
    new = updated(old, files_on_disk(module_folder))
    if new != old:
        # Bytes, so that Windows keeps LF.
        cmake_file.write_bytes(new.encode())
    print("SAMSegment/CMakeLists.txt " + ("was brought up to date" if new != old else "is right"))
    return 0
