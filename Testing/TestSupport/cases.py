"""Real CT and MR with labels: beside the project, and in the package slicerio."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from SAMSegmentLib.core.files import read_image
from SAMSegmentLib.core.image import Image
from SAMSegmentLib.core.prompts import Roi
from SAMSegmentLib.evaluation.simulated_user import ROI_MARGIN_MM, roi_around

DATA = Path(__file__).parents[3] / "shared" / "data"

#: Cases that can be scored: image and label file, relative to the data folder.
LABELLED = {
    "ct_abdomen_3mm": ("image.nii.gz", "label.nii.gz"),
    "ct_oblique_derived": ("image.nii.gz", "label.nii.gz"),
    "mr_abdomen_3mm": ("image.nii.gz", "label.nii.gz"),
    "mr_prostate_oblique_lesion": ("image.mha", "label.nii.gz"),
    "ct_lung": ("image.mha", "label.mha"),
    "ct_chest_segnrrd": ("CTChest4.nrrd", "Segmentation.seg.nrrd"),
    "mr_brain_t1_aseg": ("image.nii.gz", "label.nii.gz"),
    "mr_brain_ms_lesions": ("image.nii.gz", "label.nii.gz"),
    "mr_brain1": ("image.nrrd", "label.nrrd"),
    "mr_breast1": ("image.nrrd", "label.nrrd"),
    "mr_spine": ("t2.nii.gz", "t2_label.nii.gz"),
    "sts_019": ("MR_T1_image.nii.gz", "MR_T1_mask.nii.gz"),
}


@dataclass(frozen=True)
class Case:
    """A volume and its label map, on one grid."""

    image: Image
    labels: np.ndarray

    def roi(self, label: int, margin: float = ROI_MARGIN_MM) -> Roi:
        """The box around a structure along the grid's axes, enlarged by `margin` mm."""
        return roi_around(self.labels == label, self.image.geometry, margin)


@lru_cache(maxsize=4)
def shared_case(name: str) -> Case:
    """A case of the data folder; the test is skipped where that is missing."""
    if not DATA.is_dir():
        pytest.skip(f"the folder with real cases is not there: {DATA}")
    image, label = (read_image(DATA / name / file) for file in LABELLED[name])
    return Case(image, np.asarray(label.voxels))


@lru_cache(maxsize=1)
def chest_ct() -> Case:
    """Slicer's sample chest CT with its segmentation, from the package slicerio."""
    image, label = (read_image(path) for path in chest_ct_files())
    return Case(image, np.asarray(label.voxels))


def chest_ct_files() -> tuple[Path, Path]:
    """The chest CT and its segmentation; labels 5 and 6 are the right and the left lung."""
    # Found, not imported: importing slicerio loads its network client.
    folder = Path(find_spec("slicerio").origin).parent / "data"
    return folder / "CTChest4.nrrd", folder / "Segmentation.seg.nrrd"
