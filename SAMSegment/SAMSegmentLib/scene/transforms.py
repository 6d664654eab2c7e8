"""Where a node is in the world, and matrices between VTK and numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import vtk

from ..core.errors import InputError

if TYPE_CHECKING:
    import slicer

# Below this, a transform squeezes space (nearly) flat and has no safe inverse.
SMALLEST_DETERMINANT = 1e-9


def to_world(node: slicer.vtkMRMLTransformableNode) -> np.ndarray:
    """4x4 from a transformable node's own RAS to world RAS, mm; identity without a transform.

    Raises:
        InputError: if a parent transform is not linear, or cannot be inverted.
    """
    transform = node.GetParentTransformNode()
    if transform is None:
        return np.eye(4)
    if not transform.IsTransformToWorldLinear():
        raise InputError(
            f"{describe(node)} is under a non-linear transform ({transform.GetName()}): harden it "
            "first (Data module: right-click the transform's icon, Harden transform; or the "
            "Transforms module), or move the node out of it."
        )
    matrix = vtk.vtkMatrix4x4()
    transform.GetMatrixTransformToWorld(matrix)
    matrix = array_from_matrix(matrix)
    if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix)) < SMALLEST_DETERMINANT:
        raise InputError(
            f"The transform of {describe(node)} ({transform.GetName()}) cannot be inverted: "
            "correct its matrix in the Transforms module."
        )
    return matrix


def array_from_matrix(matrix: vtk.vtkMatrix4x4) -> np.ndarray:
    """4x4 array of a vtkMatrix4x4."""
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def matrix_from_array(array: np.ndarray):
    """vtkMatrix4x4 of a 4x4 array."""
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(np.asarray(array, dtype=float).ravel().tolist())
    return matrix


def describe(node: slicer.vtkMRMLNode) -> str:
    """How messages name a node."""
    kind = node.GetNodeTagName() if hasattr(node, "GetNodeTagName") else type(node).__name__
    name = node.GetName() if hasattr(node, "GetName") else None
    return f'{kind} "{name}"' if name else kind


def require_class(node: object, class_name: str, what: str) -> None:
    """Raises InputError unless `node` is a node of that MRML class that is in a scene."""
    if node is None:
        raise InputError(f"No {what} is given: select one.")
    if not (hasattr(node, "IsA") and node.IsA(class_name)):
        raise InputError(f"{describe(node)} is not a {what} ({class_name} is needed).")
    if node.GetScene() is None:
        raise InputError(f"{describe(node)} is in no scene (was it deleted?): select another.")
