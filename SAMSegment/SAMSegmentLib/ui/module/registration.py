"""What is registered when Slicer starts: effect, sample data, observers; so it has to be fast."""

from __future__ import annotations

from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

LIBRARY = Path(__file__).parents[2]
EFFECT_FILE = LIBRARY / "SegmentEditorEffect.py"
THUMBNAILS = LIBRARY.parent / "Resources" / "Icons"

#: Names the category in scripts; what users see of it is translated.
CATEGORY = "SAM Segment"
#: Slicer's own public data: name, file, node, SHA-256. Names differ from Slicer's, because scripts
#: look data sets up by name; files do not, so that nothing is downloaded twice.
SAMPLES = (
    (
        "CT chest",
        "CT-chest.nrrd",
        "CTChest",
        "4507b664690840abb6cb9af2d919377ffc4ef75b167cb6fd0f747befdb12e38e",
    ),
    (
        "CT liver",
        "CTLiver.nrrd",
        "CTLiver",
        "e16eae0ae6fefa858c5c11e58f0f1bb81834d81b7102e021571056324ef6f37e",
    ),
    (
        "MR brain tumor",
        "RegLib_C01_1.nrrd",
        "MRBrainTumor1",
        "998cb522173839c78657f4bc0ea907cea09fd04e44601f17c82ea27927937b95",
    ),
)


def register_effect() -> None:
    """Adds the effect to all Segment Editors; a second time nothing happens."""
    # Kept in Slicer, not here: this file may be loaded anew while Slicer runs.
    if getattr(slicer.modules, "samSegmentEffectIsRegistered", False):
        return
    import qSlicerSegmentationsEditorEffectsPythonQt as effects

    effect = effects.qSlicerSegmentEditorScriptedEffect(None)
    # Slicer splits the path at forward slashes, and logs what is wrong by itself.
    if effect.setPythonSource(EFFECT_FILE.as_posix()):
        effect.self().register()
        slicer.modules.samSegmentEffectIsRegistered = True


def clean_loaded_scenes() -> None:
    """From now on, removes hidden items from loaded scenes; see `scene.hierarchy`."""
    if getattr(slicer.modules, "samSegmentCleansScenes", False):
        return
    scene = slicer.mrmlScene
    for event in (scene.EndImportEvent, scene.EndRestoreEvent):
        # Slicer is still at work on the hierarchy then.
        scene.AddObserver(event, lambda *_: qt.QTimer.singleShot(0, _clean_scene))
    slicer.modules.samSegmentCleansScenes = True


def _clean_scene() -> None:
    from ...scene.hierarchy import remove_orphans

    remove_orphans(slicer.mrmlScene)


def register_sample_data() -> None:
    """Lists the sample data in Slicer's module Sample Data; nothing is downloaded."""
    try:
        import SampleData
    except ImportError:  # an application built on Slicer may leave that module out
        return
    logic = SampleData.SampleDataLogic
    # Older Slicers show the category's name.
    if hasattr(logic, "registerCustomSampleDataCategory"):
        logic.registerCustomSampleDataCategory(CATEGORY, title=_("SAM Segment"))
    for name, file, node, sha256 in SAMPLES:
        thumbnail = THUMBNAILS / f"{node}.png"
        logic.registerCustomSampleDataSource(
            category=CATEGORY,
            sampleName=name,
            uris=f"{slicer.util.TESTING_DATA_URL}SHA256/{sha256}",
            fileNames=file,
            nodeNames=node,
            checksums=f"SHA256:{sha256}",
            # Without one, Slicer shows its own of the same data.
            thumbnailFileName=str(thumbnail) if thumbnail.is_file() else None,
        )
