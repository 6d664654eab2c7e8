"""What CMake puts into the Slicer package, with stand-ins for Slicer's own macros."""

import subprocess
from pathlib import Path

import pytest

MODULE = Path(__file__).parents[2] / "SAMSegment"
# Slicer's macro (CMake/SlicerMacroBuildScriptedModule.cmake) copies and installs what it is given.
SLICER = """
cmake_minimum_required(VERSION 3.16)
project(Check NONE)
function(slicerMacroBuildScriptedModule)
  cmake_parse_arguments(given "WITH_GENERIC_TESTS" "NAME" "SCRIPTS;RESOURCES" ${ARGN})
  string(REPLACE ";" "\\n" files "${given_SCRIPTS};${given_RESOURCES}")
  file(WRITE ${CMAKE_BINARY_DIR}/files.txt "${files}\\n")
endfunction()
"""


def test_every_file_of_the_module_is_in_the_package(tmp_path):
    cmake = pytest.importorskip("cmake")
    (tmp_path / "CMakeLists.txt").write_text(f'{SLICER}add_subdirectory("{MODULE.as_posix()}" m)\n')
    program = Path(cmake.CMAKE_BIN_DIR) / "cmake"
    subprocess.run([program, "-S", tmp_path, "-B", tmp_path / "b"], check=True, capture_output=True)
    packaged = (tmp_path / "b" / "files.txt").read_text().splitlines()
    assert len(packaged) == len(set(packaged))
    found = [path for path in MODULE.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    names = {path.relative_to(MODULE).as_posix() for path in found}
    assert names - set(packaged) == {"CMakeLists.txt"}
    assert set(packaged) - names == set()
