"""What is registered when Slicer starts: one effect, some sample data, and little work."""

import subprocess
import sys
from pathlib import Path

import pytest

from SlicerHost.errors import Problem

MODULE = Path(__file__).parents[4] / "SAMSegment" / "SAMSegment.py"
NAME = "SAM Segment"

pytestmark = pytest.mark.mrml


@pytest.fixture
def module(application):
    """The module, loaded while Slicer starts."""
    loaded = application.load_module(MODULE)
    yield loaded
    assert application.errors == []


def effects(application) -> list[str]:
    """Names of the effects that a new Segment Editor has."""
    return list(application.open_segment_editor().availableEffectNames())


def sample_data():
    import slicer

    return getattr(slicer.modules, "sampleDataSources", {})


def test_the_effect_is_there_when_slicer_has_started(application, module):
    assert effects(application).count(NAME) == 0
    application.start()
    assert effects(application).count(NAME) == 1


def test_an_editor_that_is_open_already_gets_the_effect(application, module):
    editor = application.open_segment_editor()
    application.start()
    assert NAME in editor.availableEffectNames()


def test_opening_the_panel_registers_nothing_twice(application, module):
    application.start()
    module.widgetRepresentation()
    assert effects(application).count(NAME) == 1
    assert len(sample_data()[NAME]) == 3


def test_a_module_that_is_loaded_later_registers_when_its_panel_opens(application):
    application.start()
    module = application.load_module(MODULE)
    assert NAME not in effects(application)
    module.widgetRepresentation()
    assert effects(application).count(NAME) == 1
    assert len(sample_data()[NAME]) == 3
    assert application.errors == []


def test_the_panel_opens_and_is_left_with_nothing_imported_beforehand(application, module):
    import qt
    import slicer

    assert not hasattr(slicer, "packaging")
    panel = module.widgetRepresentation()
    for _ in range(2):
        panel.enter()
        panel.exit()
    assert panel.findChild(qt.QLabel, "torchLabel").text


def test_a_panel_that_could_not_be_set_up_is_entered_left_and_unloaded_in_peace(
    application, module, monkeypatch
):
    from SAMSegmentLib.ui.module import packages

    monkeypatch.setattr(packages, "missing", lambda: 1 / 0)
    panel = module.widgetRepresentation()
    assert ["ZeroDivisionError" in str(problem) for problem in application.errors] == [True]
    application.errors.clear()
    panel.enter()
    panel.exit()
    panel.self().cleanup()


def test_a_broken_effect_is_reported_once_and_the_sample_data_still_come(
    application, module, monkeypatch, tmp_path
):
    from SAMSegmentLib.ui.module import registration

    (tmp_path / "Broken").mkdir()
    broken = tmp_path / "Broken" / "SegmentEditorEffect.py"
    broken.write_text("raise RuntimeError('broken')\n")
    monkeypatch.setattr(registration, "EFFECT_FILE", broken)
    application.start()
    assert len(sample_data()[NAME]) == 3
    assert any(isinstance(problem, Problem) for problem in application.errors)
    application.errors.clear()


def test_sample_data_come_with_public_addresses_and_checksums(application, module):
    application.start()
    sources = sample_data()[NAME]
    for source in sources:
        kind, digest = source.checksums.split(":")
        assert kind == "SHA256" and len(digest) == 64
        assert source.uris.startswith("https://github.com/Slicer/")
        assert source.uris.endswith(f"SHA256/{digest}")
        assert source.customDownloader is None
        if source.thumbnailFileName is not None:
            assert Path(source.thumbnailFileName).is_file()
    assert len({source.sampleName for source in sources}) == len(sources)


def test_sample_data_do_not_take_the_names_of_slicers_own(application, module):
    # SampleData.downloadSample("CTChest") would get ours else.
    application.start()
    names = {source.sampleName for source in sample_data()[NAME]}
    assert names.isdisjoint({"CTChest", "CTLiver", "MRBrainTumor1"})


def test_the_category_has_a_translated_title_where_slicer_can_show_one(application, module):
    import SampleData

    titles = {}
    SampleData.SampleDataLogic.registerCustomSampleDataCategory = staticmethod(
        lambda category, title: titles.update({category: title})
    )
    try:
        application.start()
    finally:
        del SampleData.SampleDataLogic.registerCustomSampleDataCategory
    assert titles == {NAME: "SAM Segment"}


def test_an_application_without_sample_data_still_gets_the_effect(application, module, monkeypatch):
    monkeypatch.setitem(sys.modules, "SampleData", None)
    application.start()
    assert NAME in effects(application)


def test_slicer_shows_the_module_with_a_title_an_icon_and_a_warning(module):
    assert module.title == "SAM Segment"
    assert list(module.categories) == ["Segmentation"]
    assert list(module.dependencies) == ["Segmentations"]
    assert not module.icon.isNull()
    assert "Not a medical device" in module.helpText
    assert "{" not in module.helpText


def test_starting_slicer_imports_next_to_nothing():
    # A fresh process: this one has loaded everything.
    code = (
        "import sys\n"
        "from SlicerHost.application import Application\n"
        "with Application() as application:\n"
        # As Slicer's own modules do.
        "    import SampleData, SegmentEditorEffects, slicer.i18n, slicer.ScriptedLoadableModule\n"
        "    import qSlicerSegmentationsEditorEffectsPythonQt\n"
        "    before = set(sys.modules)\n"
        f"    application.load_module({str(MODULE)!r})\n"
        "    application.start()\n"
        "    assert not application.errors\n"
        "    print(*sorted(set(sys.modules) - before))\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == [
        "SAMSegment",
        "SAMSegmentLib",
        "SAMSegmentLib.SegmentEditorEffect",
        "SAMSegmentLib.ui",
        "SAMSegmentLib.ui.module",
        "SAMSegmentLib.ui.module.registration",
    ]


def test_the_logic_and_the_self_test_are_found_when_asked_for(module):
    import unittest

    import SAMSegment
    from SAMSegmentLib.logic import SAMSegmentLogic

    assert SAMSegment.SAMSegmentLogic is SAMSegmentLogic
    with pytest.raises(AttributeError):
        _ = SAMSegment.no_such_name
    # As Slicer's CTest command finds them.
    names = [test.id() for test in flat(unittest.TestLoader().loadTestsFromName("SAMSegment"))]
    assert [name.rpartition(".")[2] for name in names if ".SAMSegmentTest." in name] == [
        "test_panel_opens_and_is_left",
        "test_point_proposal_apply_undo",
        "test_scene_saved_with_preview_open",
        "test_segment_sphere_from_roi",
        "test_switching_effects",
    ]


def flat(suite):
    for test in suite:
        yield from flat(test) if hasattr(test, "__iter__") else [test]
