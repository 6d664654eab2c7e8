"""The command line: what it writes, what it says, and how it ends."""

import io
import os
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from SAMSegmentLib.__main__ import main
from SAMSegmentLib.core.files import read_image, write_mask
from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.image import sitk_from_array
from SAMSegmentLib.weights.catalogue import model_entry
from TestSupport.catalogue_models import catalogue_run_by
from TestSupport.phantoms import ct_with_ball, dice, grid

IMAGE = ct_with_ball(grid((8, 64, 64)), (48, 48, 10), 18)
ROI = ["--roi", "48", "48", "10", "44", "44", "5"]


@pytest.fixture
def ct(tmp_path):
    path = tmp_path / "ct.nii.gz"
    sitk.WriteImage(sitk_from_array(IMAGE.voxels, IMAGE.geometry), str(path))
    return str(path)


@pytest.fixture
def quick():
    """An engine that answers within milliseconds."""
    with catalogue_run_by("quick"):
        yield


def one_line(capsys):
    captured = capsys.readouterr()
    lines = captured.err.strip().splitlines()
    assert len(lines) == 1, captured.err
    return lines[0]


def test_it_writes_a_mask_and_says_how_large_it_is(ct, tmp_path, capsys):
    output = tmp_path / "ball.seg.nrrd"
    assert main(["segment", ct, *ROI, "--output", str(output), "--name", "Ball"]) == 0
    image = sitk.ReadImage(str(output))
    truth = (IMAGE.voxels > 120) & (np.abs(np.arange(8) * 3 - 10) <= 2.5)[:, None, None]
    assert dice(sitk.GetArrayFromImage(image), truth) > 0.9
    assert image.GetMetaData("Segment0_Name") == "Ball"
    captured = capsys.readouterr()
    assert "Ball, " in captured.out and " ml" in captured.out
    # No terminal: plain lines.
    assert "\r" not in captured.err and "\033" not in captured.err
    assert captured.err.splitlines()[0].startswith(("Looking for", "Slice 1 of"))


@pytest.mark.parametrize("name", ["mask.nii.gz", "mask.nii.seg.nrrd"])
def test_a_tilted_volumes_mask_is_written_and_told_where_slicer_does_not_open_it(
    tmp_path, capsys, name
):
    tilted = IMAGE.geometry.ijk_to_ras.copy()
    tilted[1, 2] = -1.0
    geometry = Geometry(tilted, IMAGE.geometry.shape)
    sitk.WriteImage(sitk_from_array(IMAGE.voxels, geometry), str(tmp_path / "ct.nrrd"))
    output, (r, a, s) = tmp_path / name, geometry.to_ras([32, 32, 4])
    roi = ["--roi", str(r), str(a), str(s), *ROI[4:]]
    assert main(["segment", str(tmp_path / "ct.nrrd"), *roi, "--output", str(output)]) == 0
    assert read_image(output).geometry.is_close(geometry)
    told = "Slicer does not open that as NIfTI" in capsys.readouterr().err
    assert told == (name == "mask.nii.gz")


def test_it_can_be_quiet(ct, tmp_path, quick, capsys):
    assert main(["segment", ct, *ROI, "--output", str(tmp_path / "a.nrrd"), "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


def test_negative_coordinates_are_numbers_not_options(ct, tmp_path, capsys):
    roi = ["--roi", "-48", "-48e0", "-10", "44", "44", "5"]
    assert main(["segment", ct, *roi, "--output", str(tmp_path / "a.nrrd")]) == 2
    assert "outside the volume" in one_line(capsys)


def test_a_model_that_is_not_installed_ends_with_1_before_any_work(
    ct, tmp_path, capsys, monkeypatch
):
    folder = tmp_path / "my models"
    monkeypatch.setenv("SAMSEGMENT_MODELS", str(folder))
    monkeypatch.setattr("SAMSegmentLib.api.Segmenter.__init__", None)  # nothing is begun
    output = tmp_path / "mask.nrrd"
    arguments = ["segment", ct, *ROI, "--output", str(output), "--model", "sam-med3d-turbo"]
    assert main(arguments) == 1
    said = one_line(capsys)
    assert said.startswith("samsegment: SAM-Med3D turbo is not installed")
    assert "python -m SAMSegmentLib models install sam-med3d-turbo" in said
    assert not output.exists() and not folder.exists()


def test_damaged_weights_end_with_1_and_one_line(ct, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("SAMSEGMENT_MODELS", str(tmp_path))
    model_entry("sam-med3d-turbo").path.write_bytes(b"<html>Sign in</html>")
    output = tmp_path / "mask.nrrd"
    arguments = ["segment", ct, *ROI, "--output", str(output), "--model", "sam-med3d-turbo"]
    assert main([*arguments, "--quiet"]) == 1
    assert "SHA-256 is not that of the catalogue" in one_line(capsys)
    assert not output.exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--roi", "48", "48", "10", "44", "44", "0"], "no size"),
        (["--roi", "900", "48", "10", "44", "44", "5"], "outside the volume"),
        (["--negative", "48", "48", "10"], "a positive point"),
        ([], "needs an ROI"),
        ([*ROI, "--model", "nonsense"], "litemedsam"),
        ([*ROI, "--device", "abacus"], "no device"),
        (["--roi", "1", "2"], "--roi"),
        (["--roi", "a", "b", "c", "d", "e", "f"], "--roi"),
        ([*ROI, "--nonsense"], "--nonsense"),
        ([*ROI, "--name", "Liver\nSegment1_ID: x"], "--name: text in one line"),
        ([*ROI, "--name", "L\udce4sion"], "--name: text in one line"),
        ([*ROI, "--intensity-range", "5", "5"], "intensity range"),
    ],
)
def test_bad_arguments_end_with_2_and_one_line_and_write_nothing(
    ct, tmp_path, capsys, arguments, says
):
    output = tmp_path / "mask.nrrd"
    assert main(["segment", ct, "--output", str(output), "--quiet", *arguments]) == 2
    assert says in one_line(capsys)
    assert sorted(os.listdir(tmp_path)) == ["ct.nii.gz"]


def test_a_missing_command_is_a_bad_argument(capsys):
    assert main([]) == 2
    assert "command" in one_line(capsys)


def bad_images(folder):
    rng = np.random.default_rng(0)
    volume = rng.normal(size=(4, 6, 6))
    with_nan = volume.copy()
    with_nan[0, 0, 0] = np.nan
    images = {
        "2d.mha": sitk.GetImageFromArray(volume[0]),
        "one_slice.nrrd": sitk.GetImageFromArray(volume[:1]),
        "colour.mha": sitk.GetImageFromArray(volume[..., :3], isVector=True),
        "4d.nii.gz": sitk.GetImageFromArray(np.stack([volume] * 2), isVector=False),
        "nan.nrrd": sitk.GetImageFromArray(with_nan),
        "constant.nrrd": sitk.GetImageFromArray(volume * 0),
    }
    for name, image in images.items():
        sitk.WriteImage(image, str(folder / name))
    huge = sitk.GetImageFromArray(volume)
    huge.SetSpacing((1e6, 1, 1))
    sitk.WriteImage(huge, str(folder / "huge_spacing.nrrd"))
    (folder / "text.nii.gz").write_text("not an image")
    return [*images, "huge_spacing.nrrd", "text.nii.gz", "missing.nrrd", "."]


def test_every_bad_image_ends_with_2_and_one_line_and_writes_nothing(tmp_path, capsys):
    images, output = tmp_path / "images", tmp_path / "output"
    images.mkdir()
    output.mkdir()
    for name in bad_images(images):
        arguments = ["--roi", "2", "2", "2", "3", "3", "3", "--output", str(output / "a.nrrd")]
        assert main(["segment", str(images / name), *arguments, "--quiet"]) == 2, name
        assert len(one_line(capsys)) > 30, name
        assert os.listdir(output) == [], name


def test_a_missing_output_folder_is_told_before_the_work(ct, tmp_path, capsys):
    output = str(tmp_path / "missing" / "mask.nrrd")
    assert main(["segment", ct, *ROI, "--output", output]) == 2
    assert "does not exist" in one_line(capsys)


def test_a_failing_write_ends_with_1_and_keeps_the_old_file(
    ct, tmp_path, quick, capsys, monkeypatch
):
    output = tmp_path / "mask.nrrd"
    write_mask(output, np.ones((2, 2, 2), np.uint8), grid((2, 2, 2)), "Old")
    before = output.read_bytes()

    def fail(*_, **__):
        raise RuntimeError("disk full")

    monkeypatch.setattr(sitk, "WriteImage", fail)
    arguments = ["segment", ct, *ROI, "--output", str(output), "--quiet"]
    assert main([*arguments, "--overwrite"]) == 1
    assert "disk full" in one_line(capsys)
    assert output.read_bytes() == before


@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
def test_the_image_is_no_output_whatever_is_asked_for(ct, tmp_path, capsys, monkeypatch, overwrite):
    monkeypatch.setattr("SAMSegmentLib.api.Segmenter.__init__", None)  # nothing is begun
    before = Path(ct).read_bytes()
    other_name = tmp_path / ".." / tmp_path.name / "ct.nii.gz"
    assert main(["segment", ct, *ROI, "--output", str(other_name), *overwrite]) == 2
    assert "would be lost" in one_line(capsys)
    assert Path(ct).read_bytes() == before


def test_an_existing_mask_is_replaced_only_with_overwrite(ct, tmp_path, quick, capsys):
    output = tmp_path / "mask.nrrd"
    output.write_text("corrected by hand")
    arguments = ["segment", ct, *ROI, "--output", str(output), "--quiet"]
    assert main(arguments) == 2
    assert "--overwrite" in one_line(capsys)
    assert output.read_text() == "corrected by hand"
    assert main([*arguments, "--overwrite"]) == 0
    assert sitk.GetArrayFromImage(sitk.ReadImage(str(output))).any()


def test_an_empty_mask_is_no_result(ct, tmp_path, quick, capsys):
    output = tmp_path / "mask.nrrd"
    output.write_text("corrected by hand")
    in_air = ["--roi", "4", "4", "10", "4", "4", "4"]
    arguments = ["segment", ct, *in_air, "--output", str(output), "--quiet", "--overwrite"]
    assert main(arguments) == 1
    assert "found nothing" in one_line(capsys)
    assert output.read_text() == "corrected by hand"


def test_ctrl_c_ends_with_1_and_writes_nothing(ct, tmp_path, capsys, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("SAMSegmentLib.cli.command_line.ProgressLine.__call__", interrupt)
    output = tmp_path / "mask.nrrd"
    assert main(["segment", ct, *ROI, "--output", str(output)]) == 1
    assert one_line(capsys) == "samsegment: Cancelled. Nothing was written."
    assert not output.exists()


def test_ctrl_c_during_imports_ends_with_1_and_one_line(capsys, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("SAMSegmentLib.cli.command_line.run", interrupt)
    assert main(["models"]) == 1
    assert one_line(capsys) == "samsegment: Cancelled."


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (MemoryError(), "not enough memory"),
        (OSError(116, "Stale file handle", "/mnt/ct.nii.gz"), "Stale file handle"),
    ],
)
def test_what_the_system_lacks_ends_with_1_and_one_line(ct, capsys, monkeypatch, error, says):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("SAMSegmentLib.cli.command_line.check_output", fail)
    assert main(["segment", ct, *ROI, "--output", "mask.nrrd"]) == 1
    assert says in one_line(capsys)


class Full(io.StringIO):
    def write(self, text):
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("channels", [("stdout",), ("stderr",), ("stdout", "stderr")])
@pytest.mark.parametrize("stream", [None, Full()])
def test_the_mask_is_written_whether_or_not_anybody_listens(
    ct, tmp_path, quick, monkeypatch, channels, stream
):
    for channel in channels:
        monkeypatch.setattr(sys, channel, stream)
    output = tmp_path / "mask.nrrd"
    assert main(["segment", ct, *ROI, "--output", str(output)]) == 0
    assert sitk.GetArrayFromImage(sitk.ReadImage(str(output))).any()


def test_a_list_that_could_not_be_printed_is_a_failure(capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdout", Full())
    for command in (["models"], ["--help"], ["--version"]):
        assert main(command) == 1
        assert "No space left" in one_line(capsys)


@pytest.mark.parametrize("command", [["--help"], ["--version"], ["models", "--help"], ["models"]])
def test_help_version_and_lists_end_with_0(capsys, command):
    assert main(command) == 0
    assert capsys.readouterr().out.strip()


@pytest.mark.parametrize("package", ["pydicom", "SimpleITK"])
def test_a_package_that_is_missing_ends_with_1_and_one_line(tmp_path, package):
    # A process of its own: here all is imported already.
    code = f"""
import runpy, sys
sys.modules[{package!r}] = None
sys.argv = ["SAMSegmentLib", "models"]
runpy.run_module("SAMSegmentLib", run_name="__main__", alter_sys=True)
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr == (
        f"samsegment: The Python package {package} is needed: install it (pip install {package}).\n"
    )


def in_a_shell(command, **streams):
    return subprocess.run(
        [sys.executable, "-m", "SAMSegmentLib", *command], text=True, check=False, **streams
    )


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no /dev/full")
def test_a_process_ends_without_pythons_own_complaints(tmp_path):
    with open("/dev/full", "w") as full:
        ended = in_a_shell(["models"], stdout=full, stderr=subprocess.PIPE)
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [
        "samsegment: The results could not be printed: No space left on device."
    ]
    # The next file that is opened must not become standard error.
    closed = f"{shlex.quote(sys.executable)} -m SAMSegmentLib models nonsense >&- 2>&- <&-"
    assert subprocess.run(["sh", "-c", closed], check=False).returncode == 2


def test_it_runs_as_a_module_from_a_shell():
    result = subprocess.run(
        [sys.executable, "-m", "SAMSegmentLib", "models"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0 and "litemedsam" in result.stdout
    help_text = subprocess.run(
        [sys.executable, "-m", "SAMSegmentLib", "segment", "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert help_text.returncode == 0 and "--roi" in help_text.stdout
