"""What a model answers: candidates of one object, or structures with names."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from SAMSegmentLib.core.answer import Answer, Cost, LabelledMask, logit
from SAMSegmentLib.core.errors import InputError
from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.label import Label
from SAMSegmentLib.core.patch import BACKGROUND_LOGIT, Patch
from TestSupport.geometries import geometries

GRID = Geometry(np.eye(4), (6, 6, 6))
BODY, AIR = Label("Body", "T~B", (0.8, 0.6, 0.5)), Label("Air")


def block(start, shape=(2, 2, 2)) -> Patch:
    return Patch(np.full(shape, 5.0, np.float32), start)


def structures() -> Answer:
    masks = (
        LabelledMask(block((0, 0, 0)), BODY, 0.9),
        LabelledMask(block((3, 3, 3)), AIR, warnings=("Thin.",)),
    )
    return Answer(masks, GRID, ("Dark.",), Cost(encoded=3))


def test_an_answer_is_background_outside_its_box():
    geometry = Geometry(np.eye(4), (6, 6, 6))
    answer = Answer.of(Patch(np.full((2, 3, 2), 5.0, np.float32), (1, 2, 3)), geometry)
    mask = answer.mask()
    assert mask.dtype == np.uint8 and mask.sum() == 12
    assert mask[1:3, 2:5, 3:5].all()
    probability = answer.probability()
    assert probability.dtype == np.float32
    assert np.allclose(probability[mask > 0], 1 / (1 + np.exp(-5)))
    assert not probability[mask == 0].any()


@given(geometries(st.just((8, 9, 10))))
def test_an_answer_on_its_own_grid_is_unchanged(geometry):
    rng = np.random.default_rng(0)
    answer = Answer.of(Patch(rng.normal(size=(3, 4, 5)).astype(np.float32), (2, 3, 4)), geometry)
    there = answer.on_grid(geometry)
    assert np.allclose(there[answer.box], answer.logits, atol=1e-3)
    outside = np.ones(geometry.shape, dtype=bool)
    outside[answer.box] = False
    assert (there[outside] == BACKGROUND_LOGIT).all()


@pytest.mark.parametrize("threshold", [0, 1, -1, 2])
def test_a_threshold_lies_between_0_and_1(threshold):
    with pytest.raises(ValueError, match="threshold"):
        logit(threshold)


def test_candidates_are_chosen_by_their_rank_and_keep_what_is_to_know():
    patches = [block((0, 0, 0)), block((1, 1, 1)), block((2, 2, 2), (1, 1, 1))]
    answer = Answer.of(*patches[:1], GRID, *patches[1:], warnings=("Dark.",), cost=Cost(encoded=1))
    assert answer.choice(0) is answer
    assert [other.start for other in answer.alternatives] == [(1, 1, 1), (2, 2, 2)]
    second = answer.choice(2)
    assert second.mask().sum() == 1 and second.alternatives == ()
    assert (second.warnings, second.cost.encoded) == (("Dark.",), 1)
    with pytest.raises(InputError, match="no alternative 3: these prompts have 2"):
        answer.choice(3)


def test_structures_are_taken_by_their_name_and_are_no_alternatives():
    answer = structures()
    assert answer.is_labelled and answer.alternatives == ()
    air = answer.structure("Air")
    assert air.start == (3, 3, 3) and air.mask().sum() == 8
    assert air.masks[0].warnings == ("Thin.",) and air.warnings == ("Dark.",)
    with pytest.raises(InputError, match="no structure 'Liver': it has Body, Air"):
        answer.structure("Liver")
    with pytest.raises(InputError, match="its masks have no names"):
        Answer.of(block((0, 0, 0)), GRID).structure("Air")


def test_one_of_several_structures_is_never_taken_for_the_answer():
    for call in (Answer.mask, Answer.probability, lambda answer: answer.logits):
        with pytest.raises(InputError, match=r"several structures \(Body, Air\): name one"):
            call(structures())


def test_an_answer_without_masks_is_none():
    with pytest.raises(ValueError, match="at least one mask"):
        Answer((), GRID)


def test_further_warnings_come_first():
    assert structures().with_warnings("Old.").warnings == ("Old.", "Dark.")
