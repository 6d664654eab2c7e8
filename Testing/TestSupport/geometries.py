"""Random but plausible voxel grids, for hypothesis."""

from __future__ import annotations

from itertools import permutations

import numpy as np
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.orientation import Reorientation

angles = st.floats(-180, 180)
rotations = st.builds(
    lambda a, b, c: Rotation.from_euler("xyz", (a, b, c), degrees=True).as_matrix(),
    angles,
    angles,
    angles,
)
any_shape = st.tuples(*[st.integers(2, 24)] * 3)
any_spacing = st.tuples(*[st.floats(0.2, 8)] * 3)
positions = st.tuples(*[st.floats(-500, 500)] * 3)


@st.composite
def geometries(draw, shapes=any_shape, spacings=any_spacing):
    """Oblique, flipped, anisotropic and gantry-tilted grids."""
    shape = draw(shapes)
    spacing = draw(spacings)
    flips = draw(st.tuples(*[st.sampled_from((-1.0, 1.0))] * 3))
    # A gantry tilts by up to 30 degrees: slices shift along rows.
    tilt = np.eye(3)
    tilt[1, 2] = np.tan(np.radians(draw(st.sampled_from((0.0, 0.0, -30.0, 17.0, 30.0)))))
    matrix = np.eye(4)
    matrix[:3, :3] = draw(rotations) @ tilt @ np.diag(spacing) @ np.diag(flips)
    matrix[:3, 3] = draw(positions)
    return Geometry(matrix, shape)


@st.composite
def rigid_transforms(draw):
    """Random 4x4 rotations with translation."""
    matrix = np.eye(4)
    matrix[:3, :3] = draw(rotations)
    matrix[:3, 3] = draw(positions)
    return matrix


@st.composite
def linear_transforms(draw):
    """Random 4x4 transforms with rotation, scaling, shear and translation."""
    matrix = draw(rigid_transforms())
    scales = draw(st.tuples(*[st.floats(0.5, 2)] * 3))
    shear = np.eye(3)
    shear[0, 1] = draw(st.floats(-0.5, 0.5))
    matrix[:3, :3] = matrix[:3, :3] @ shear @ np.diag(scales)
    return matrix


def reorientations():
    """All 48 ways of storing the same voxels."""
    return st.builds(
        Reorientation,
        st.sampled_from(list(permutations(range(3)))),
        st.tuples(*[st.booleans()] * 3),
    )
