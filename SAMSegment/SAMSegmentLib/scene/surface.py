"""A light closed surface of a mask, for looking at while the mask still changes."""

from __future__ import annotations

import numpy as np
import vtk
from vtk.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray, vtk_to_numpy

from ..core.geometry import Geometry, apply_matrix
from .steps import Steps

# Voxels along each axis that the surface is made of.
MOST_VOXELS = 80
# A block counts as inside from this share on: above a half would lose thin parts.
INSIDE_SHARE = 0.4
# Slices of the reduced grid that one step turns into triangles.
SLICES_PER_STEP = 16
# Voxels that one step reduces.
VOXELS_PER_STEP = 1_000_000


def surface_steps(mask: np.ndarray, geometry: Geometry) -> Steps[object]:
    """The surface of a mask, vtkPolyData with normals, in the RAS of its grid; None if empty.

    Blocks of voxels are averaged, smoothed over one neighbour and contoured (flying edges). What is
    thinner than about half a block can be lost: this is not the surface that Slicer makes of the
    segment once it is written.

    Args:
        mask: boolean, (k, j, i).
        geometry: grid of the mask; any affine one.
    """
    factors = tuple(max(1, -(-n // MOST_VOXELS)) for n in mask.shape)
    shares = yield from _reduced(mask, factors)
    for axis in range(3):
        shares = _smoothed(shares, axis)
        yield
    if shares.max() <= INSIDE_SHARE * 255:
        return None
    reduced_to_ras = geometry.ijk_to_ras @ _reduced_to_voxels(factors)
    points, gradients, triangles = yield from _contoured(shares)
    if len(triangles) == 0:
        return None
    return _poly_data(points, gradients, triangles, reduced_to_ras)


def _reduced(mask: np.ndarray, factors) -> Steps[np.ndarray]:
    """Shares (0 to 255) of the voxels of blocks, with two empty layers around."""
    counts = [-(-n // f) for n, f in zip(mask.shape, factors, strict=True)]
    shares = np.zeros([n + 4 for n in counts], dtype=np.float32)
    scale = 255 / np.prod(factors)
    per_step = max(1, VOXELS_PER_STEP // (factors[0] * mask.shape[1] * mask.shape[2]))
    for k in range(counts[0]):
        part = mask[k * factors[0] : (k + 1) * factors[0]].view(np.uint8)
        # Along k first: whole rows are added at once. A block holds fewer than 65,536 voxels.
        rows = np.add.reduce(part, axis=0, dtype=np.uint16)
        rows = np.add.reduceat(rows, np.arange(0, rows.shape[0], factors[1]), axis=0)
        blocks = np.add.reduceat(rows, np.arange(0, rows.shape[1], factors[2]), axis=1)
        np.multiply(blocks, scale, out=shares[k + 2, 2:-2, 2:-2], casting="unsafe")
        if k % per_step == per_step - 1:
            yield
    return shares


def _reduced_to_voxels(factors) -> np.ndarray:
    """4x4 from indices (i, j, k) of `_reduced` to those of the mask."""
    matrix = np.eye(4)
    factors = np.array(factors[::-1], dtype=float)
    matrix[:3, :3] = np.diag(factors)
    matrix[:3, 3] = (factors - 1) / 2 - 2 * factors
    return matrix


def _smoothed(shares: np.ndarray, axis: int) -> np.ndarray:
    """Weights 1/4, 1/2, 1/4 along an axis; the borders are empty."""
    values = np.moveaxis(shares, axis, 0)
    result = np.zeros_like(shares)
    inner = np.moveaxis(result, axis, 0)[1:-1]
    np.add(values[:-2], values[2:], out=inner)
    inner *= 0.5
    inner += values[1:-1]
    inner *= 0.5
    return result


def _contoured(shares: np.ndarray) -> Steps[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Points (n, 3) and outward directions in indices (i, j, k), and triangles (m, 3)."""
    points, gradients, triangles, count = [], [], [], 0
    for first in range(0, shares.shape[0] - 1, SLICES_PER_STEP):
        # One slice is shared by neighbouring parts; one more on each side is for the gradients.
        last = min(first + SLICES_PER_STEP, shares.shape[0] - 1)
        part = _contour(shares, first, last)
        if part is not None:
            points.append(part[0])
            gradients.append(part[1])
            triangles.append(part[2] + count)
            count += len(part[0])
        yield
    if not points:
        return np.zeros((0, 3)), np.zeros((0, 3)), np.zeros((0, 3), dtype=int)
    return np.concatenate(points), np.concatenate(gradients), np.concatenate(triangles)


def _contour(shares: np.ndarray, first: int, last: int):
    image = vtk.vtkImageData()
    image.SetExtent(0, shares.shape[2] - 1, 0, shares.shape[1] - 1, first, last)
    voxels = shares[first : last + 1]
    if voxels.max() <= INSIDE_SHARE * 255:
        return None
    image.GetPointData().SetScalars(numpy_to_vtk(voxels.ravel()))
    contour = vtk.vtkFlyingEdges3D()
    contour.SetInputData(image)
    contour.SetValue(0, INSIDE_SHARE * 255)
    contour.ComputeNormalsOff()
    contour.ComputeGradientsOff()
    contour.ComputeScalarsOff()
    contour.Update()
    output = contour.GetOutput()
    if output.GetNumberOfPolys() == 0:
        return None
    points = vtk_to_numpy(output.GetPoints().GetData()).astype(float)
    triangles = vtk_to_numpy(output.GetPolys().GetConnectivityArray()).reshape(-1, 3)
    return points, _outward(shares, points), triangles.astype(np.int64)


def _outward(shares: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Where the shares fall, at points (i, j, k): the negative gradient, by central differences."""
    nearest = np.rint(points).astype(int)
    k, j, i = nearest[:, 2], nearest[:, 1], nearest[:, 0]
    return np.stack(
        [
            shares[k, j, i - 1] - shares[k, j, i + 1],
            shares[k, j - 1, i] - shares[k, j + 1, i],
            shares[k - 1, j, i] - shares[k + 1, j, i],
        ],
        axis=1,
    )


def _poly_data(points, outward, triangles, matrix: np.ndarray):
    """vtkPolyData of points in indices, mapped by a 4x4."""
    # Normals go with the transposed inverse; a mirroring matrix also turns triangles inside out.
    normals = outward @ np.linalg.inv(matrix[:3, :3])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    if np.linalg.det(matrix[:3, :3]) < 0:
        triangles = triangles[:, ::-1]
    surface = vtk.vtkPolyData()
    vertices = vtk.vtkPoints()
    positions = np.ascontiguousarray(apply_matrix(matrix, points), dtype=np.float32)
    vertices.SetData(numpy_to_vtk(positions, deep=True))
    surface.SetPoints(vertices)
    cells = vtk.vtkCellArray()
    offsets = np.arange(0, triangles.size + 1, 3, dtype=np.int64)
    connectivity = np.ascontiguousarray(triangles, dtype=np.int64).ravel()
    cells.SetData(
        numpy_to_vtkIdTypeArray(offsets, deep=True),
        numpy_to_vtkIdTypeArray(connectivity, deep=True),
    )
    surface.SetPolys(cells)
    array = numpy_to_vtk(np.ascontiguousarray(normals, dtype=np.float32), deep=True)
    array.SetName("Normals")
    surface.GetPointData().SetNormals(array)
    return surface
