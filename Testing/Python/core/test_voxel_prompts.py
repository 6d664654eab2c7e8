"""Masks as prompts: equal ones have equal names, others have others."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from SAMSegmentLib.core.patch import Patch
from SAMSegmentLib.core.voxel_prompts import VoxelPrompts

masks = arrays(bool, array_shapes(min_dims=3, max_dims=3, max_side=4))
starts = st.tuples(*[st.integers(0, 5)] * 3)
patches = st.none() | st.builds(Patch, masks, starts)
voxel_prompts = st.builds(VoxelPrompts, patches, st.booleans(), patches)


def copied(patch):
    return None if patch is None else Patch(patch.values.copy(), tuple(patch.start))


def same(one, other):
    if one is None or other is None:
        return one is other
    return one.start == other.start and np.array_equal(one.values, other.values)


@given(voxel_prompts)
def test_copies_have_the_same_key(prompts):
    copy = VoxelPrompts(copied(prompts.content), prompts.refine, copied(prompts.occupied))
    assert copy.key == prompts.key and hash(copy.key) == hash(prompts.key)


@given(voxel_prompts, voxel_prompts)
def test_keys_are_equal_only_where_everything_is(one, other):
    equal = (
        same(one.content, other.content)
        and one.refine == other.refine
        and same(one.occupied, other.occupied)
    )
    assert (one.key == other.key) == equal


def test_one_voxel_more_is_another_key():
    mask = np.zeros((3, 4, 5), dtype=bool)
    before = VoxelPrompts(Patch(mask, (0, 0, 0))).key
    more = mask.copy()
    more[2, 3, 4] = True
    assert VoxelPrompts(Patch(more, (0, 0, 0))).key != before


def test_content_and_occupied_are_not_mistaken_for_each_other():
    patch = Patch(np.ones((2, 2, 2), dtype=bool), (1, 2, 3))
    assert VoxelPrompts(content=patch).key != VoxelPrompts(occupied=patch).key


def test_the_same_voxels_in_another_shape_are_another_key():
    voxels = np.ones((1, 2, 4), dtype=bool)
    one, other = (VoxelPrompts(Patch(voxels.reshape(s), (0, 0, 0))) for s in ((1, 2, 4), (2, 1, 4)))
    assert one.key != other.key
