"""Volumes from DICOM: a series in a folder, or one file.

pydicom reads the headers, and GDCM in SimpleITK decompresses. SimpleITK's own reader of series is
not used, because it takes the spacing from two slices and checks neither tilt nor gaps nor repeated
slices.
"""

from .headers import is_dicom
from .reading import read_dicom

__all__ = ["is_dicom", "read_dicom"]
