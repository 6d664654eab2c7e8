"""The widgets of the effect: they draw a `PanelState` and report what the user does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import qt
import slicer
from slicer.i18n import tr as _

from ..common.connections import Connections
from ..common.delay import Delay
from ..common.device_selector import DeviceSelector
from ..common.status import show_status
from ..models.model_offer import ModelOffer
from ..models.model_store import shared_model_store
from .icons import REDO, UNDO, icon
from .panel_state import NEGATIVE, POSITIVE, ROI, PanelState
from .parameters import ALL_STRUCTURES, LINE_NODE, ROI_NODE, structures_text

if TYPE_CHECKING:
    from ...weights.catalogue import ModelEntry
    from ..models.model_store import ModelStore
    from .parameters import Parameters
    from .session_commands import SessionCommands

UI_FILE = Path(__file__).parents[3] / "Resources" / "UI" / "SegmentEditorEffect.ui"
PROGRESS_STEPS = 1000
# What a click places must be obvious; on dark, a pressed button looks as any other.
PLACE_STYLE = "QPushButton:checked { background-color: #1b5e96; color: white; }"
#: Widgets that are of no use with a model that takes no prompts, and say so.
PROMPT_WIDGETS = (
    "positiveButton",
    "negativeButton",
    "roiButton",
    "promptList",
    "roiSelector",
    "startSelector",
)


class Panel:
    """The panel of one effect.

    Attributes:
        widget: the QWidget that goes into the Segment Editor's options frame.

    Args:
        commands: what the widgets do; prompts are named by the keys of their rows.
        models: the ModelEntrys to choose from.
        store: their ModelStore; Slicer's own if left out.
    """

    def __init__(
        self,
        commands: SessionCommands,
        models: Iterable[ModelEntry],
        store: ModelStore | None = None,
    ) -> None:
        self._commands = commands
        self._store = store or shared_model_store()
        self._state = PanelState()
        self._connections = Connections()
        self.widget = slicer.util.loadUI(str(UI_FILE))
        self.ui = slicer.util.childWidgetVariables(self.widget)
        self._models: dict[str, ModelEntry] = {}
        self._chosen = ""
        self._node_ids = ("", "")
        self._nodes_soon = Delay(0, self._show_nodes)
        self._offer = ModelOffer(self.ui, self._store)
        self._line_tip = self.ui.lineSelector.property("toolTip")
        self._other_mask_tip = self.ui.alternativeButton.property("toolTip")
        self._prompt_tips = {
            name: getattr(self.ui, name).property("toolTip") for name in PROMPT_WIDGETS
        }
        self._fill_start_selector()
        self.set_models(models)
        self._devices = DeviceSelector(self.ui.deviceSelector, commands.set_device)
        self._set_icons()
        self._connect()
        self.show(self._state)
        self._store.add(self)

    def release(self) -> None:
        """Disconnects all widgets."""
        self._store.drop(self)
        self._offer.release()
        self._devices.release()
        self._nodes_soon.release()
        self._connections.disconnect()

    def show(self, state: PanelState) -> None:
        """Draws a state."""
        damaged = self._state.damaged_model
        self._show_rows(state)
        self._show_status(state)
        ui = self.ui
        ui.noteLabel.setText(state.note)
        ui.noteLabel.setVisible(bool(state.note))
        for button, kind in self._place_buttons():
            _set_without_signal(button, "setChecked", state.placing == kind)
            button.setEnabled(state.can_place)
        takes_prompts = not state.no_prompts
        ui.undoPromptButton.setEnabled(state.can_undo and takes_prompts)
        ui.redoPromptButton.setEnabled(state.can_redo and takes_prompts)
        ui.clearButton.setEnabled(bool(state.rows) and takes_prompts)
        for name in PROMPT_WIDGETS:
            getattr(ui, name).setToolTip(state.no_prompts or self._prompt_tips[name])
        for name in ("promptList", "roiSelector", "startSelector"):
            getattr(ui, name).setEnabled(takes_prompts)
        ui.proposeButton.setEnabled(state.can_propose and bool(self._checked_structures()))
        ui.applyButton.setEnabled(state.can_apply)
        ui.cancelButton.setEnabled(state.can_cancel)
        ui.alternativeButton.setEnabled(not state.no_other_mask)
        ui.alternativeButton.setToolTip(state.no_other_mask or self._other_mask_tip)
        self._state = state
        self._enable_edit_buttons()
        if state.damaged_model != damaged:
            self._show_damaged(state.damaged_model)

    def on_model_progress(self) -> None:
        """See model_store.Listener; the offer shows it."""

    def on_models_changed(self, names: tuple[str, ...]) -> None:
        """See model_store.Listener."""
        self._show_models(self._chosen)
        self._commands.models_changed(names)

    def show_parameters(self, parameters: Parameters) -> None:
        """Draws the parameters of the parameter node, see effect.parameters."""
        ui = self.ui
        _set_without_signal(ui.thresholdSlider, "setValue", parameters.threshold)
        _set_without_signal(ui.opacitySlider, "setValue", parameters.opacity)
        _set_without_signal(ui.keepOutBox, "setChecked", parameters.keep_out)
        _set_without_signal(ui.fillHolesBox, "setChecked", parameters.fill_holes)
        _set_without_signal(ui.smoothBorderBox, "setChecked", parameters.smooths_border)
        _set_without_signal(ui.smoothingSpinBox, "setValue", parameters.smoothing_mm)
        ui.smoothingSpinBox.setEnabled(parameters.smooths_border)
        _select_data(ui.modelSelector, parameters.model)
        self._choose_model(parameters.model)
        _select_data(ui.startSelector, parameters.start_from)
        self._show_structures(parameters.structures)
        self._devices.refresh()
        self._node_ids = (_id_of(parameters.roi), _id_of(parameters.line))
        self._show_nodes()

    def set_scene(self, scene: slicer.vtkMRMLScene) -> None:
        """Where the node selectors look for nodes."""
        for selector in self._node_selectors():
            selector.setMRMLScene(scene)

    def set_models(self, models: Iterable[ModelEntry]) -> None:
        """Which models there are to choose from: the user's own may come, change and go."""
        found, selector = {model.name: model for model in models}, self.ui.modelSelector
        if found == self._models:
            return
        self._models = found
        was_blocked = selector.blockSignals(True)
        selector.clear()
        for model in found.values():
            selector.addItem(model.title, model.name)
        _select_data(selector, self._chosen)
        selector.blockSignals(was_blocked)

    def selected_key(self) -> str | None:
        """The key of the row that is selected in the list of prompts."""
        row = self._selected_row()
        return None if row is None else row.key

    def _selected_row(self):
        index, rows = self.ui.promptList.property("currentRow"), self._state.rows
        return rows[index] if 0 <= index < len(rows) else None

    def _fill_start_selector(self) -> None:
        for text, value in (
            (_("prompts alone"), "prompts"),
            (_("segment as it is"), "content"),
            (_("segment, refined"), "refine"),
        ):
            self.ui.startSelector.addItem(text, value)

    def _show_structures(self, chosen: tuple[str, ...] | None) -> None:
        """The structures of an automatic model; `chosen` are checked, of None all."""
        model, box = self._models.get(self._chosen), self.ui.structureList
        names = [] if model is None else [structure.name for structure in model.structures]
        self.ui.structuresBox.setVisible(bool(names))
        was_blocked = box.blockSignals(True)
        if names != [item.text() for item in self._structure_items()]:
            box.clear()
            for name in names:
                box.addItem(qt.QListWidgetItem(name))
        for item in self._structure_items():
            is_checked = chosen is None or item.text() in chosen
            item.setCheckState(qt.Qt.Checked if is_checked else qt.Qt.Unchecked)
        box.blockSignals(was_blocked)
        ready = self._state.can_propose and bool(self._checked_structures())
        self.ui.proposeButton.setEnabled(ready)

    def _structure_items(self) -> list:
        box = self.ui.structureList
        return [box.item(row) for row in range(box.property("count"))]

    def _checked_structures(self) -> list[str]:
        items = self._structure_items()
        return [item.text() for item in items if item.checkState() == qt.Qt.Checked]

    def _on_structures(self, *_changed) -> None:
        checked = self._checked_structures()
        is_all = len(checked) == len(self._structure_items())
        self._commands.set_parameter("Structures", structures_text(None if is_all else checked))

    def _choose_model(self, chosen: str) -> None:
        self._chosen = chosen
        self._offer.show(self._models.get(chosen))
        self._show_models(chosen)

    def _show_damaged(self, name: str) -> None:
        # Only when the worker reports it again: the file may have been replaced since.
        if name in self._models:
            self._store.mark_damaged(self._models[name])
        else:
            self._offer.show(self._models.get(self._chosen))

    def _show_models(self, chosen: str) -> None:
        """Which models are installed by now, and what the chosen one takes."""
        ui, selector = self.ui, self.ui.modelSelector
        for index, model in enumerate(self._models.values()):
            # Of the chosen one, the offer below says it: there is no room here.
            is_plain = model.is_installed or model.name == chosen
            missing = _("{model} (not installed)").format(model=model.title)
            selector.setItemText(index, model.title if is_plain else missing)
        selector.view().setMinimumWidth(selector.view().sizeHintForColumn(0))
        model = self._models.get(chosen)
        takes_line = model is None or "line" in model.prompts
        tip = _("{model} does not take a line: choose another model to use one.")
        ui.lineSelector.setEnabled(takes_line)
        ui.lineSelector.setToolTip(self._line_tip if takes_line else tip.format(model=model.title))

    def _place_buttons(self):
        ui = self.ui
        return (
            (ui.positiveButton, POSITIVE),
            (ui.negativeButton, NEGATIVE),
            (ui.roiButton, ROI),
        )

    def _set_icons(self) -> None:
        for button, kind in self._place_buttons():
            button.setIcon(icon(kind))
            button.setStyleSheet(PLACE_STYLE)
        self.ui.undoPromptButton.setIcon(icon(UNDO))
        self.ui.redoPromptButton.setIcon(icon(REDO))
        side = self.ui.positiveButton.fontMetrics().height()
        self.ui.promptList.setIconSize(qt.QSize(side, side))

    def _connect(self) -> None:
        ui, commands, connect = self.ui, self._commands, self._connections.connect
        for button, kind in self._place_buttons():
            connect(button.clicked, self._placing(kind))
        connect(ui.promptList.itemSelectionChanged, self._on_row_selected)
        for button, action in (
            (ui.flipButton, self.flip_selected),
            (ui.deleteButton, self.delete_selected),
            (ui.clearButton, commands.clear),
            (ui.undoPromptButton, commands.undo),
            (ui.redoPromptButton, commands.redo),
            (ui.alternativeButton, commands.next_candidate),
            (ui.proposeButton, commands.propose),
            (ui.allStructuresButton, lambda: commands.set_parameter("Structures", ALL_STRUCTURES)),
            (ui.noStructureButton, lambda: commands.set_parameter("Structures", "[]")),
            (ui.cancelButton, commands.cancel),
            (ui.applyButton, commands.apply),
        ):
            connect(button.clicked, _without_argument(action))
        for signal, name, convert in (
            (ui.thresholdSlider.valueChanged, "Threshold", _rounded),
            (ui.opacitySlider.valueChanged, "PreviewOpacity", _rounded),
            (ui.keepOutBox.toggled, "KeepOut", int),
            (ui.fillHolesBox.toggled, "FillHoles", int),
            (ui.smoothBorderBox.toggled, "SmoothBorder", int),
            # Of its signals of this name, one gives the text.
            (ui.smoothingSpinBox.valueChanged, "SmoothingMm", lambda _: self._smoothing_mm()),
            (ui.startSelector.currentIndexChanged, "StartFrom", ui.startSelector.itemData),
            (ui.modelSelector.currentIndexChanged, "Model", ui.modelSelector.itemData),
        ):
            connect(signal, self._setting(name, convert))
        connect(ui.structureList.itemChanged, self._on_structures)
        # Selectors turn to another node by themselves: to the next when theirs is removed, to none
        # when a scene is read (qMRMLSceneModel::updateScene). That is nobody's choice.
        for selector, name in zip(self._node_selectors(), (ROI_NODE, LINE_NODE), strict=True):
            connect(selector.nodeActivated, self._setting(name, lambda node: node))
            connect(selector.currentNodeChanged, self._on_node_shown)
            connect(selector.nodeAboutToBeRemoved, self._on_node_shown)

    def _smoothing_mm(self) -> float:
        return _rounded(self.ui.smoothingSpinBox.property("value"))

    def flip_selected(self) -> None:
        """Makes the selected point negative if it is positive, and the other way round."""
        key = self.selected_key()
        if key is not None:
            self._commands.flip(key)

    def delete_selected(self) -> None:
        """Deletes the selected prompt."""
        key = self.selected_key()
        if key is not None:
            self._commands.delete(key)

    def _placing(self, kind: str) -> Callable[[bool], None]:
        return lambda checked=False: self._commands.place(kind if checked else None)

    def _setting(self, name: str, convert: Callable) -> Callable[[object], None]:
        return lambda value: self._commands.set_parameter(name, convert(value))

    def _on_row_selected(self) -> None:
        self._enable_edit_buttons()
        key = self.selected_key()
        if key is not None:
            self._commands.show_prompt(key)

    def _on_node_shown(self, node=None) -> None:
        self._nodes_soon.start()  # not now: the selector is still at it

    def _show_nodes(self) -> None:
        for selector, node_id in zip(self._node_selectors(), self._node_ids, strict=True):
            _set_without_signal(selector, "setCurrentNodeID", node_id)

    def _node_selectors(self):
        return self.ui.roiSelector, self.ui.lineSelector

    def _enable_edit_buttons(self) -> None:
        chosen = None if self._state.no_prompts else self._selected_row()
        self.ui.deleteButton.setEnabled(chosen is not None)
        self.ui.flipButton.setEnabled(chosen is not None and chosen.is_point)

    def _show_rows(self, state: PanelState) -> None:
        if state.rows == self._state.rows:
            return
        chosen = self.selected_key()
        self._state = state
        prompts = self.ui.promptList
        was_blocked = prompts.blockSignals(True)
        prompts.clear()
        for row in state.rows:
            prompts.addItem(qt.QListWidgetItem(icon(row.kind), row.text))
        keys = [row.key for row in state.rows]
        if chosen in keys:
            prompts.setCurrentRow(keys.index(chosen))
        elif keys:
            prompts.scrollToBottom()
        prompts.blockSignals(was_blocked)

    def _show_status(self, state: PanelState) -> None:
        bar = self.ui.progressBar
        show_status(self.ui.statusLabel, state.status, state.status_kind)
        bar.setVisible(state.progress is not None)
        if state.progress is not None:
            known = state.progress >= 0
            bar.setMaximum(PROGRESS_STEPS if known else 0)
            bar.setValue(int(PROGRESS_STEPS * max(state.progress, 0)))


def _rounded(value: float) -> float:
    return round(value, 4)


def _without_argument(action):
    """Buttons pass whether they are checked, also those that cannot be."""
    return lambda *_: action()


def _set_without_signal(widget, setter: str, value) -> None:
    was_blocked = widget.blockSignals(True)
    getattr(widget, setter)(value)
    widget.blockSignals(was_blocked)


def _id_of(node) -> str:
    return "" if node is None else node.GetID()


def _select_data(combo, data) -> None:
    index = combo.findData(data)
    if index >= 0:
        _set_without_signal(combo, "setCurrentIndex", index)
