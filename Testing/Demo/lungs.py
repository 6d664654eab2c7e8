"""The demo: both lungs of a real chest CT, from an ROI around each, through Slicer's own scene.

Reads Slicer's sample chest CT (package slicerio), writes the segmentation and a picture to
out/demo/, and prints how well each lung agrees with the CT's own segmentation.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import slicer
from three_planes import save_three_planes

from SAMSegmentLib import SAMSegmentLogic
from SAMSegmentLib.core.files import read_image
from SAMSegmentLib.core.prompts import Roi
from SAMSegmentLib.evaluation.simulated_user import roi_around
from SAMSegmentLib.scene.volumes import image_from_volume
from SlicerHost.scene import HeadlessScene
from TestSupport.cases import chest_ct_files
from TestSupport.measure import peak_memory_mb
from TestSupport.phantoms import dice
from TestSupport.scene_answers import segment_mask

OUTPUT = Path(__file__).parents[2] / "out" / "demo"
# Label in the CT's own segmentation, colour for the picture.
LUNGS = {"right lung": (5, (0.24, 0.71, 0.93)), "left lung": (6, (0.98, 0.62, 0.27))}
PICTURE_TITLE = "Both lungs from one ROI each, LiteMedSAM on the CPU"


def main() -> int:
    ct_file, truth_file = chest_ct_files()
    OUTPUT.mkdir(parents=True, exist_ok=True)
    host = HeadlessScene()
    volume = load_volume(host, ct_file)
    segmentation = host.add("vtkMRMLSegmentationNode", "Lungs")
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    image, _ = image_from_volume(volume)
    truth = read_image(truth_file).voxels

    logic = SAMSegmentLogic()
    rows, masks = [], {}
    print(f"Segmenting both lungs of {ct_file.name} from an ROI around each ...")
    for name, (label, color) in LUNGS.items():
        roi = add_roi(host, name, roi_around(truth == label, image.geometry))
        started = time.perf_counter()
        segment_id = logic.segment(volume, segmentation, roi=roi, name=name, progress=show)
        seconds = time.perf_counter() - started
        segmentation.GetSegmentation().GetSegment(segment_id).SetColor(color)
        masks[name] = (segment_mask(segmentation, segment_id, image.geometry), color)
        rows.append((name, dice(masks[name][0], truth == label), seconds, peak_memory_mb()))

    save_segmentation(segmentation, OUTPUT / "lungs.seg.nrrd")
    save_three_planes(OUTPUT / "lungs.png", image, masks, PICTURE_TITLE)
    print_table(rows)
    print(f"\nWritten: {OUTPUT / 'lungs.seg.nrrd'}, {OUTPUT / 'lungs.png'}")
    print("Research software, not a medical device.")
    return 0


def load_volume(host: HeadlessScene, path: Path):
    """A scalar volume node, read as Slicer reads it."""
    node = host.add("vtkMRMLScalarVolumeNode", path.stem)
    storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
    storage.SetFileName(str(path))
    if not storage.ReadData(node):
        raise SystemExit(f"{path} cannot be read.")
    return node


def add_roi(host: HeadlessScene, name: str, roi: Roi):
    """An ROI node, as a user would draw it."""
    node = host.add("vtkMRMLMarkupsROINode", f"{name} ROI")
    node.SetCenter(*roi.center)
    node.SetSize(*roi.size)
    return node


def save_segmentation(segmentation, path: Path) -> None:
    storage = slicer.vtkMRMLSegmentationStorageNode()
    storage.SetFileName(str(path))
    if not storage.WriteData(segmentation):
        raise SystemExit(f"{path} cannot be written.")


def show(done: int, total: int, message: str) -> None:
    """Progress on one line, where somebody watches."""
    if sys.stdout.isatty():
        print(f"\r  {message}\033[K", end="\n" if done == total else "", flush=True)


def print_table(rows) -> None:
    print(f"\n{'structure':12} {'Dice':>6} {'seconds':>8} {'peak memory':>12}")
    for name, overlap, seconds, memory in rows:
        print(f"{name:12} {overlap:6.3f} {seconds:8.1f} {memory:9.0f} MB")
    print(f"{'mean':12} {np.mean([row[1] for row in rows]):6.3f}")


if __name__ == "__main__":
    sys.exit(main())
