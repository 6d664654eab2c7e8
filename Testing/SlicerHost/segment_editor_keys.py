"""The keys that the Segment Editor owns (`qMRMLSegmentEditorWidget::installKeyboardShortcuts`)."""

from __future__ import annotations

from .pythonqt import qt

PREVIOUS_SEGMENT = ("Q", "/", ",", ">")
NEXT_SEGMENT = ("W", "*", ".", "<")


def install(editor, parent) -> list:
    """The shortcuts, connected to an editor's methods."""
    made = []

    def add(key, call, *arguments) -> None:
        shortcut = qt.QShortcut(qt.QKeySequence(key), parent)
        shortcut.connect("activated()", lambda: call(*arguments))
        made.append(shortcut)

    for number in range(1, 11):
        add(str(number % 10), _select_effect, editor, number)
        add(f"Shift+{number % 10}", _select_effect, editor, number + 10)
    add("Esc", _select_effect, editor, 0)
    add("Space", _toggle_effect, editor)
    for key in ("Z", qt.QKeySequence.Undo):
        add(key, editor.undo)
    for key in ("Y", qt.QKeySequence.Redo):
        add(key, editor.redo)
    for key in PREVIOUS_SEGMENT:
        add(key, editor.selectPreviousSegment)
    for key in NEXT_SEGMENT:
        add(key, editor.selectNextSegment)
    add("I", editor.toggleSourceVolumeIntensityMaskEnabled)
    return made


def uninstall(shortcuts: list) -> None:
    for shortcut in shortcuts:
        shortcut.disconnect()
        shortcut.setParent(None)
        shortcut.deleteLater()
    shortcuts.clear()


def _select_effect(editor, index: int) -> None:
    if editor.readOnly:
        return
    effect = editor.effectByIndex(index)
    editor.setActiveEffect(None if effect is editor.activeEffect() else effect)


def _toggle_effect(editor) -> None:
    if not editor.readOnly:
        editor.setActiveEffect(editor._last_effect)
