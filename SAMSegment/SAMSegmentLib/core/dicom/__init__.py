"""Volumes from DICOM: a series in a folder, or one file.

pydicom reads the headers and SimpleITK's GDCM decompresses; SimpleITK's own reader of series
averages away what tells a volume from files that merely lie together: it takes the spacing from
two slices, and neither tilt nor gaps nor repeated slices are looked at.
"""

from .headers import is_dicom
from .reading import read_dicom

__all__ = ["is_dicom", "read_dicom"]
