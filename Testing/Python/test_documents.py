"""The examples in the documents and in the docstrings of the public API run as they are printed."""

import doctest
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

import SAMSegmentLib
import SAMSegmentLib.__main__ as command
from SAMSegmentLib.cli import command_line
from SAMSegmentLib.core.image import sitk_from_array
from SAMSegmentLib.weights.catalogue import model_entry
from TestSupport.phantoms import ellipsoid, grid

ROOT = Path(__file__).parents[2]
FAST = model_entry("samsegment3d")
SCRIPTING = (ROOT / "docs" / "scripting.md").read_text("utf-8")
#: A volume and an object in it that fit the positions in the examples.
GRID = grid((42, 65, 54), (5.0, 5.0, 8.0), (-74.0, -176.0, -305.0))
CENTER, SIZE = (61.0, -14.0, -140.0), (181.0, 211.0, 280.0)
OBJECT = ellipsoid(GRID, CENTER, (85.0, 100.0, 135.0))


def voxels() -> np.ndarray:
    """An air-filled object in soft tissue, with some noise."""
    noise = np.random.default_rng(0).normal(0, 8, GRID.shape)
    return (np.where(OBJECT, -800, 40) + noise).astype(np.int16)


def blocks(language: str, section: str) -> list[str]:
    """The code blocks of a language in a section of docs/scripting.md."""
    text = SCRIPTING[SCRIPTING.index(f"\n## {section}\n") :]
    text = text[: text.find("\n## ", 1)]
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def use_fast_model(monkeypatch, *modules: str) -> None:
    """SAMSegment 3D answers in place of the default model, which takes ten seconds and more."""
    for module in modules:
        monkeypatch.setattr(f"SAMSegmentLib.{module}.model_entry", lambda _: FAST)


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A folder to work in, with the files that the examples name."""
    use_fast_model(monkeypatch, "api", "cli.command_line", "cli.evaluate")
    monkeypatch.chdir(tmp_path)
    sitk.WriteImage(sitk_from_array(voxels(), GRID), "ct.nii.gz")
    sitk.WriteImage(sitk_from_array(5 * OBJECT.astype(np.uint8), GRID), "labels.nii.gz")
    return tmp_path


@pytest.fixture
def nodes(application, monkeypatch):
    """The nodes that the examples for Slicer's console name, in a Slicer that has started."""
    import slicer

    from SlicerHost.scene_builder import SceneBuilder

    use_fast_model(monkeypatch, "logic")
    application.load_module(ROOT / "SAMSegment" / "SAMSegment.py")
    application.start()
    builder = SceneBuilder(application)
    volume = builder.volume(GRID.ijk_to_ras, voxels=voxels())
    volume.SetName("CTChest")
    roi = builder.roi(CENTER, SIZE)
    roi.SetName("R")
    missed = application.scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "F")
    missed.AddControlPointWorld(70, -20, -150)
    return {
        "slicer": slicer,
        "volumeNode": volume,
        "roiNode": roi,
        "segmentationNode": builder.segmentation(volume),
    }


def run_docstring(example: type, names: dict) -> doctest.TestResults:
    """Runs the examples in a docstring."""
    test = doctest.DocTestParser().get_doctest(example.__doc__, names, example.__name__, None, 0)
    return doctest.DocTestRunner().run(test)


def test_the_example_for_plain_python(files):
    (example,) = blocks("python", "Python without Slicer")
    names = {}
    exec(example, names)
    mask = sitk.GetArrayFromImage(names["mask"])
    assert mask.shape == GRID.shape and mask.any()
    assert 0 < sitk.GetArrayFromImage(names["probability"]).max() <= 1


def test_the_example_of_the_class_for_plain_python(files):
    results = run_docstring(SAMSegmentLib.Segmenter, {"Segmenter": SAMSegmentLib.Segmenter})
    assert results.attempted > 0 and results.failed == 0


@pytest.mark.parametrize(
    "text", [*blocks("", "The shell"), command.__doc__], ids=["document", "docstring"]
)
def test_the_examples_for_the_shell(files, capsys, text):
    lines = re.findall(r"^ *python -m SAMSegmentLib (.*)$", text, re.MULTILINE)
    assert {shlex.split(line)[0] for line in lines} == {"segment", "evaluate", "models"}
    for line in lines:
        assert command.main(shlex.split(line)) == 0, line
    assert list(files.glob("*.seg.nrrd"))
    printed = capsys.readouterr().out
    assert "Label 5" in printed and "sam-med3d-turbo" in printed


@pytest.mark.mrml
def test_the_examples_for_slicers_console(nodes):
    names = {"slicer": nodes["slicer"]}
    for example in blocks("python", "Slicer's Python console"):
        exec(example, names)
    segment = names["segmentationNode"].GetSegmentation().GetSegment(names["segmentId"])
    assert segment.GetName() == "Right lung"
    names["logic"].close()


@pytest.mark.mrml
def test_the_example_of_the_class_for_slicers_console(nodes):
    logic = SAMSegmentLib.SAMSegmentLogic
    results = run_docstring(logic, {**nodes, "SAMSegmentLogic": logic})
    assert results.attempted > 0 and results.failed == 0


def test_every_other_example_is_python_or_a_command_that_exists():
    for page in (ROOT / "docs").glob("*.md"):
        text = page.read_text("utf-8")
        for example in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
            compile(example, page.name, "exec")
        for line in re.findall(r"^python -m SAMSegmentLib (.*)$", text, re.MULTILINE):
            assert command_line._parser().parse_args(shlex.split(line)), line
