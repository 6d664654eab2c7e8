"""SAMSegmentLogic and models whose weights the user has to get first."""

import pytest

from SAMSegmentLib import SAMSegmentLogic
from SAMSegmentLib.core.errors import WeightsError
from SlicerHost.studio import segments_of

pytestmark = pytest.mark.mrml


def test_all_models_can_be_listed_and_say_whether_they_are_installed(monkeypatch, tmp_path):
    monkeypatch.setenv("SAMSEGMENT_MODELS", str(tmp_path))
    installed = {entry.name: entry.is_installed for entry in SAMSegmentLogic.models()}
    assert installed["litemedsam"] and not installed["sam-med3d-turbo"]


def test_one_that_is_not_installed_is_told_before_a_process_is_started(
    studio, monkeypatch, tmp_path
):
    monkeypatch.setenv("SAMSEGMENT_MODELS", str(tmp_path))
    volume = studio.volume()
    segmentation = studio.segmentation(volume)
    before = segments_of(segmentation)
    logic = SAMSegmentLogic(device="cpu", openEditors=list)
    monkeypatch.setattr(logic, "_client", None)
    with pytest.raises(WeightsError, match="SAM-Med3D turbo is not installed") as raised:
        logic.segment(volume, segmentation, positivePoints=[(0, 0, 0)], model="sam-med3d-turbo")
    assert str(tmp_path) in str(raised.value)
    assert segments_of(segmentation) == before
