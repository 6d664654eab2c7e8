"""Our nodes between two activations of the effect: to add and remove nodes is slow in Slicer."""

from __future__ import annotations

import vtk

from ...scene.observers import Observers
from .prompt_editor import PromptEditor
from .proposal_view import ProposalView


class Retention:
    """Keeps the point lists and the preview's node while the user works with another effect.

    They are empty then, not seen, listed or saved, and used again when the user comes back. As soon
    as no effect is chosen in the editor (as when its module is left) they are removed: parts of
    Slicer and scripts take the first or last node of a class, also a hidden one, for the user's
    (SegmentEditor.py, `enter`; DICOMTID1500Plugin.py, `load`).

    Args:
        scripted_effect: Slicer's adaptor of the effect.
    """

    def __init__(self, scripted_effect, prompts: PromptEditor, view: ProposalView) -> None:
        self._effect, self._prompts, self._view = scripted_effect, prompts, view
        self._observers = Observers()

    def begin(self) -> None:
        """The effect is not active any more."""
        if not self._is_other_effect_chosen:
            self.end()
            return
        self._view.put_away()
        self._prompts.put_away()
        node = self._effect.parameterSetNode()
        self._observers.add(node, [vtk.vtkCommand.ModifiedEvent], self._look)

    def resume(self) -> None:
        """The effect becomes active, and what is there is used again."""
        self._observers.release()

    def end(self) -> None:
        """Takes out of the scene what is there."""
        self._observers.release()
        self._view.leave()
        self._prompts.remove_nodes()

    def _look(self) -> None:
        node = self._effect.parameterSetNode()
        # This effect's own name: it is just about to become active.
        if node is None or not node.GetActiveEffectName():
            self.end()

    @property
    def _is_other_effect_chosen(self) -> bool:
        node = self._effect.parameterSetNode()
        return node is not None and node.GetActiveEffectName() not in (None, "", self._effect.name)
