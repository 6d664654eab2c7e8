"""Parent transforms as matrices to world."""

import numpy as np
import pytest
import vtk

from SAMSegmentLib.core.errors import InputError
from SAMSegmentLib.scene.transforms import to_world
from SlicerHost.scene_builder import PARENTS

pytestmark = pytest.mark.mrml


def test_a_node_without_a_transform_is_in_world(builder):
    np.testing.assert_array_equal(to_world(builder.volume()), np.eye(4))


def test_nested_transforms_are_concatenated(builder):
    outer = builder.transform(PARENTS["rotated"], "outer")
    inner = builder.transform(PARENTS["sheared"], "inner", parent=outer)
    volume = builder.volume()
    volume.SetAndObserveTransformNodeID(inner.GetID())
    np.testing.assert_allclose(to_world(volume), PARENTS["rotated"] @ PARENTS["sheared"])


def test_a_non_linear_transform_is_refused_with_the_way_out(builder):
    volume = builder.volume(name="Liver CT")
    volume.SetAndObserveTransformNodeID(builder.bend("Breathing").GetID())
    with pytest.raises(InputError, match=r'"Liver CT" .*non-linear.*Breathing.*Harden'):
        to_world(volume)


def test_a_flat_transform_is_refused(builder):
    flat = np.diag([1.0, 1.0, 0.0, 1.0])
    volume = builder.under(builder.volume(), flat)
    with pytest.raises(InputError, match="cannot be inverted"):
        to_world(volume)


def test_matrices_survive_the_way_to_vtk_and_back(builder):
    node = builder.transform(PARENTS["sheared"])
    matrix = vtk.vtkMatrix4x4()
    node.GetMatrixTransformToParent(matrix)
    np.testing.assert_array_equal(
        [[matrix.GetElement(r, c) for c in range(4)] for r in range(4)], PARENTS["sheared"]
    )
