"""SAMSegment/CMakeLists.txt lists every file of the module, and no other."""

from pathlib import Path

import pytest

import cmake_lists

MODULE = Path(__file__).parents[2] / "SAMSegment"


@pytest.mark.parametrize("name", ["SCRIPTS", "RESOURCES"])
def test_the_list_holds_what_is_on_disk(name):
    listed = cmake_lists.files_listed((MODULE / "CMakeLists.txt").read_text(encoding="utf-8"))[name]
    on_disk = cmake_lists.files_on_disk(MODULE)[name]
    hint = "run: python Scripts/develop.py cmake-lists"
    assert set(on_disk) - set(listed) == set(), f"not listed; {hint}"
    assert set(listed) - set(on_disk) == set(), f"listed, but not on disk; {hint}"
    assert listed == sorted(set(listed)), f"not sorted, or listed twice; {hint}"


def test_caches_and_hidden_files_are_not_listed(tmp_path):
    for name in ["a.py", "__pycache__/a.cpython-311.pyc", ".hidden", "CMakeLists.txt", "R/b.png"]:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert cmake_lists.files_on_disk(tmp_path) == {"SCRIPTS": ["a.py"], "RESOURCES": ["R/b.png"]}


def test_writing_the_lists_keeps_the_rest_of_the_file(tmp_path):
    cmake_file = tmp_path / "CMakeLists.txt"
    empty = "".join(
        f"set({name}\n  # BEGIN {name}\n  # END {name}\n  )\n" for name in ["SCRIPTS", "RESOURCES"]
    )
    cmake_file.write_text("# before\n" + empty + "# after\n")
    (tmp_path / "odd \\1 name.py").touch()

    cmake_lists.write(tmp_path)
    first = cmake_file.read_text()
    cmake_lists.write(tmp_path)

    assert cmake_file.read_text() == first
    assert first.startswith("# before\nset(SCRIPTS\n")
    assert first.endswith("  # END RESOURCES\n  )\n# after\n")
    assert cmake_lists.files_listed(first) == {"SCRIPTS": ["odd \\1 name.py"], "RESOURCES": []}


def test_missing_marks_are_an_error():
    with pytest.raises(ValueError, match="SCRIPTS"):
        cmake_lists.updated("set(A)\n", {"SCRIPTS": []})
