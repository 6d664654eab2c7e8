"""The Slicer module: what Slicer shows in its module list, and what is registered at its start.

The work is done in SAMSegmentLib. Nothing heavy is imported here, because Slicer loads this file
every time it starts.
"""

from __future__ import annotations

import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import ScriptedLoadableModule, ScriptedLoadableModuleWidget

# Also for Slicer, which looks the effect's class up in this package.
import SAMSegmentLib

HOMEPAGE = "https://github.com/SAMSegment/SlicerSAMSegment"

# Loaded when they are first asked for.
_HOME_OF = {
    "SAMSegmentLogic": "SAMSegmentLib.logic",
    # Not in a file beside this one: Slicer takes each of those for a module.
    "SAMSegmentTest": "SAMSegmentLib.ui.module.self_test",
}


def __getattr__(name: str):
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    globals()[name] = getattr(import_module(_HOME_OF[name]), name)
    return globals()[name]


def __dir__() -> list[str]:
    # unittest finds the self test by this list.
    return sorted({*globals(), *_HOME_OF})


class SAMSegment(ScriptedLoadableModule):
    """What Slicer knows of the module before anybody opens it."""

    def __init__(self, parent: object):
        super().__init__(parent)
        parent.title = _("SAM Segment")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        parent.dependencies = ["Segmentations"]
        parent.contributors = ["SAMSegment contributors"]
        parent.helpText = _(
            "Segments an object in 3D from a few clicks, an ROI or a measured diameter, in the"
            " <b>Segment Editor</b>: effect <b>SAM Segment</b>. This panel has a guide, shows what"
            " is installed, and tests the model. The model runs on this computer; no image leaves"
            " it."
            "<p><b>Research software. Not a medical device.</b> Check every result.</p>"
            "<p>See the <a href='{homepage}'>documentation</a>.</p>"
        ).format(homepage=HOMEPAGE)
        parent.acknowledgementText = _(
            "The embedded weights are LiteMedSAM (Ma et al., bowang-lab, Apache-2.0) and those of"
            " SAMSegment 3D, trained for this extension on free data. The other networks follow the"
            " papers on SAM, TinyViT, MobileSAM, MedSAM and SAM-Med3D; see the file NOTICE."
        )
        slicer.app.connect("startupCompleted()", register)


def register() -> None:
    """Gives Slicer the effect and the sample data; a second time nothing happens."""
    from SAMSegmentLib.ui.module import registration

    registration.register_effect()
    registration.register_sample_data()
    registration.clean_loaded_scenes()


class SAMSegmentWidget(ScriptedLoadableModuleWidget):
    """The module panel; see `SAMSegmentLib.ui.module.module_panel`."""

    # Slicer goes on to enter and exit a panel that could not be set up.
    _panel = None

    def setup(self):
        super().setup()
        # A module that is loaded into a running Slicer has missed the end of its start.
        register()
        from SAMSegmentLib.ui.common.worker_service import shared_service
        from SAMSegmentLib.ui.module.module_panel import ModulePanel

        self._panel = ModulePanel(shared_service())
        self.layout.addWidget(self._panel.widget)
        self.layout.addStretch(1)

    def enter(self):
        if self._panel is not None:
            self._panel.enter()

    def exit(self):
        if self._panel is not None:
            self._panel.exit()

    def cleanup(self):
        # Slicer calls it when the module is unloaded, and again when the panel is destroyed.
        if self._panel is not None:
            self._panel.release()
            self._panel = None

    @property
    def logic(self):
        """For `slicer.util.getModuleLogic("SAMSegment")`."""
        if not hasattr(self, "_logic"):
            self._logic = SAMSegmentLib.SAMSegmentLogic()
        return self._logic
