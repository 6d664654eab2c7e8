"""A Segment Editor with the tiny effect in it."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

EFFECT = Path(__file__).parent / "TinyEffectLib" / "SegmentEditorEffect.py"


@pytest.fixture
def effect_path():
    return EFFECT


@pytest.fixture
def tiny(application):
    """The class of the tiny effect, registered; its notes are empty."""
    assert application.register_effect(EFFECT)
    kind = sys.modules["TinyEffectLib"].SegmentEditorEffect
    kind.calls.clear()
    kind.raising.clear()
    kind.answers.clear()
    return kind


@pytest.fixture
def user(application, tiny):
    """A volume, a segmentation with one segment, and an editor with the tiny effect."""
    from SlicerHost.scene_builder import SceneBuilder

    builder = SceneBuilder(application)
    volume = builder.volume()
    segmentation = builder.segmentation(volume)
    segment_id = segmentation.GetSegmentation().AddEmptySegment("", "First")
    editor = application.open_segment_editor(segmentation, volume)
    return SimpleNamespace(
        application=application,
        builder=builder,
        volume=volume,
        segmentation=segmentation,
        segment_id=segment_id,
        editor=editor,
        tiny=tiny,
        names=lambda: [call[0] for call in tiny.calls],
    )
