"""`pip install .`: the package with its weights and its command, in an environment of its own."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from packaging.requirements import Requirement

from TestSupport.phantoms import ct_with_ball, dice, grid

ROOT = Path(__file__).parents[2]
GEOMETRY, BALL, RADIUS = grid((24, 48, 48), (1.5, 1.5, 2.0)), (36.0, 36.0, 24.0), 15.0


def pip(*arguments) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", *arguments]
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def what_it_needs(name: str, found: set[str] | None = None) -> set[str]:
    """The packages that pip would install with one, all together."""
    found = set() if found is None else found
    for line in importlib.metadata.requires(name) or ():
        needed = Requirement(line)
        applies = needed.marker is None or needed.marker.evaluate({"extra": ""})
        if applies and needed.name not in found:
            found.add(needed.name)
            what_it_needs(needed.name, found)
    return found


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """The folder of an environment with the wheel, what that says it needs, and nothing else."""
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--no-build-isolation", "-w", folder, ROOT)
    (wheel,) = folder.glob("samsegment-*.whl")
    venv.create(folder / "env", symlinks=os.name != "nt")
    scripts = folder / "env" / ("Scripts" if os.name == "nt" else "bin")
    pip("--python", folder / "env", "install", "--no-deps", "--no-index", wheel)
    (place,) = (folder / "env").rglob("site-packages")
    sys.path.insert(0, str(place))
    try:
        needed = what_it_needs("samsegment")
    finally:
        sys.path.remove(str(place))
    # Linked: pip would take minutes to copy PyTorch.
    for name in needed:
        files = importlib.metadata.files(name)
        for part in {file.parts[0] for file in files if ".." not in file.parts}:
            source = Path(importlib.metadata.distribution(name).locate_file(part))
            if source.exists() and not (place / part).exists():
                (place / part).symlink_to(source)
    return scripts


def run(environment, *arguments, cwd):
    unset = {"PYTHONPATH", "PYTHONHOME"}
    variables = {name: value for name, value in os.environ.items() if name not in unset}
    command = [str(environment / arguments[0]), *(str(part) for part in arguments[1:])]
    return subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True)


def test_the_installed_command_segments_with_the_weights_in_the_wheel(environment, tmp_path):
    image = ct_with_ball(GEOMETRY, BALL, RADIUS)
    volume = sitk.GetImageFromArray(image.voxels)
    volume.SetSpacing(GEOMETRY.spacing.tolist())
    # As ITK wants it: LPS.
    volume.SetDirection(np.diag([-1.0, -1.0, 1.0]).ravel().tolist())
    sitk.WriteImage(volume, tmp_path / "ct.nii.gz")
    point = [*BALL]
    command = ["segment", "ct.nii.gz", "--point", *point, "--output", "mask.nrrd"]
    result = run(environment, "samsegment", *command, "--model", "samsegment3d", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    mask = sitk.GetArrayFromImage(sitk.ReadImage(tmp_path / "mask.nrrd"))
    assert dice(mask > 0, image.voxels > 120) > 0.7


def test_the_installed_package_is_not_the_clone(environment, tmp_path):
    code = "import SAMSegmentLib, sys; print(SAMSegmentLib.__file__)"
    result = run(environment, "python", "-c", code, cwd=tmp_path)
    assert result.returncode == 0 and str(ROOT) not in result.stdout
