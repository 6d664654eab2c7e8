"""The effect's parameters: saved with the scene, usable whatever a scene or a script put there."""

import pytest

pytestmark = pytest.mark.mrml


def parameters(user):
    from SAMSegmentLib.ui.effect.parameters import parameters_of

    return parameters_of(user.effect.scriptedEffect)


def test_they_have_defaults(user):
    found = parameters(user)
    assert (found.model, found.threshold, found.opacity) == ("litemedsam", 0.5, 0.25)
    assert (found.start_from, found.roi, found.line) == ("prompts", None, None)
    assert found.keep_out and found.fill_holes and found.smoothing == 1.0


def test_the_panel_writes_them_into_the_parameter_node(user):
    user.ui.thresholdSlider.value = 0.7
    user.ui.opacitySlider.value = 0.25
    user.ui.keepOutBox.setChecked(False)
    user.ui.fillHolesBox.setChecked(False)
    user.ui.smoothingSpinBox.setValue(2.5)
    user.ui.smoothBorderBox.setChecked(False)
    node = user.editor.mrmlSegmentEditorNode()
    assert float(node.GetAttribute("SAM Segment.Threshold")) == 0.7
    assert float(node.GetAttribute("SAM Segment.PreviewOpacity")) == 0.25
    assert node.GetAttribute("SAM Segment.KeepOut") == "0"
    assert node.GetAttribute("SAM Segment.FillHoles") == "0"
    assert node.GetAttribute("SAM Segment.SmoothBorder") == "0"
    assert float(node.GetAttribute("SAM Segment.SmoothingMm")) == 2.5
    assert parameters(user).smoothing == 0 and not user.ui.smoothingSpinBox.enabled


def test_the_panel_shows_what_a_script_sets(user):
    effect = user.effect.scriptedEffect
    effect.setParameter("Threshold", 0.3)
    effect.setParameter("StartFrom", "refine")
    assert user.ui.thresholdSlider.value == pytest.approx(0.3)
    selector = user.ui.startSelector
    assert selector.itemData(selector.currentIndex) == "refine"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("Threshold", "nonsense", 0.5),
        ("Threshold", "7", 0.95),
        ("Threshold", "nan", 0.5),
        ("PreviewOpacity", "-1", 0.0),
        ("SmoothingMm", "nonsense", 1.0),
        ("SmoothingMm", "40", 5.0),
        ("Model", "no such model", "litemedsam"),
        ("StartFrom", "", "prompts"),
    ],
)
def test_what_cannot_be_used_is_replaced(user, name, value, expected):
    user.effect.scriptedEffect.setParameter(name, value)
    found = parameters(user)
    attribute = {
        "Threshold": "threshold",
        "PreviewOpacity": "opacity",
        "SmoothingMm": "smoothing",
        "Model": "model",
        "StartFrom": "start_from",
    }[name]
    assert getattr(found, attribute) == expected
