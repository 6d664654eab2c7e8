"""Mouse and keys of a view: the events that Qt sends to VTK in Slicer."""

from __future__ import annotations

import weakref

BUTTONS = {"left": "LeftButton", "middle": "MiddleButton", "right": "RightButton"}
MODIFIERS = ("control", "shift", "alt")
# What Qt says of keys that write no letter.
KEY_CODES = {
    "BackSpace": "\x08",
    "Tab": "\x09",
    "Return": "\x0d",
    "Escape": "\x1b",
    "space": " ",
    "Delete": "\x7f",
    "plus": "+",
    "minus": "-",
    "bracketleft": "[",
    "bracketright": "]",
    "braceleft": "{",
    "braceright": "}",
}

# The view of a scene that has the mouse: there is one mouse.
_with_mouse = weakref.WeakKeyDictionary()


class Hand:
    """Moves the mouse over a view, clicks and presses keys, with all that is observed of it.

    Positions are world RAS in mm. The mouse is on whole pixels, so that it is up to half a pixel
    beside what was asked for; methods return the position where it was.
    """

    def xy_of(self, ras):
        raise NotImplementedError

    def ras_of(self, xy):
        raise NotImplementedError

    def move(self, ras, modifiers=()):
        """Moves the mouse there; it enters the view if it was elsewhere.

        Raises:
            ValueError: the position is not in the view.
        """
        return self.move_to(self.pixel_of(ras), modifiers)

    def click(self, ras, button="left", modifiers=()):
        """Moves the mouse there, presses and releases a button.

        Raises:
            ValueError: the position is not in the view.
        """
        return self.click_at(self.pixel_of(ras), button, modifiers)

    def double_click(self, ras, button="left", modifiers=()):
        """A click, and a double click in place of its second press, as Qt has it."""
        xy = self.pixel_of(ras)
        there = self.click_at(xy, button, modifiers)
        self._send(BUTTONS[button] + "DoubleClickEvent", xy, modifiers, repeat=1)
        self._send(BUTTONS[button] + "ReleaseEvent", xy, modifiers)
        return there

    def drag(self, ras_from, ras_to, steps=5, button="left", modifiers=()):
        """Presses a button, moves the mouse in steps, and releases the button."""
        return self.drag_at(
            self.pixel_of(ras_from), self.pixel_of(ras_to), steps, button, modifiers
        )

    def move_to(self, xy, modifiers=()):
        """Moves the mouse to a pixel, (0, 0) at the lower left."""
        xy = self._whole(xy)
        self._enter(modifiers)
        self._send("MouseMoveEvent", xy, modifiers)
        return self.ras_of(xy)

    def click_at(self, xy, button="left", modifiers=()):
        """`click`, at a pixel."""
        self.press_at(xy, button, modifiers)
        there = self.ras_of(self._whole(xy))
        self.release_at(xy, button, modifiers)
        return there

    def press_at(self, xy, button="left", modifiers=()) -> None:
        """Moves the mouse to a pixel and presses a button."""
        self.move_to(xy, modifiers)
        self._send(BUTTONS[button] + "PressEvent", self._whole(xy), modifiers)

    def release_at(self, xy, button="left", modifiers=()) -> None:
        """Releases a button that was pressed."""
        self._send(BUTTONS[button] + "ReleaseEvent", self._whole(xy), modifiers)

    def drag_at(self, xy_from, xy_to, steps=5, button="left", modifiers=()):
        """`drag`, from a pixel to another."""
        start, end = self._whole(xy_from), self._whole(xy_to)
        self.press_at(start, button, modifiers)
        for step in range(1, steps + 1):
            part = step / steps
            self.move_to([a + part * (b - a) for a, b in zip(start, end, strict=True)], modifiers)
        self.release_at(end, button, modifiers)
        return self.ras_of(end)

    def scroll(self, steps: int, modifiers=()) -> None:
        """Turns the wheel, forward (away from the user) with positive steps."""
        event = "MouseWheelForwardEvent" if steps > 0 else "MouseWheelBackwardEvent"
        xy = self._here()
        self._enter(modifiers)
        for _ in range(abs(steps)):
            self._send(event, xy, modifiers)

    def key(self, keysym: str, modifiers=()) -> None:
        """Presses and releases a key, named as in X11: "a", "Escape", "Delete", "Left"."""
        xy = self._here()
        self._enter(modifiers)
        code = _key_code(keysym, modifiers)
        self._send("KeyPressEvent", xy, modifiers, code, 1, keysym)
        if code != "\0":
            self._send("CharEvent", xy, modifiers, code, 1, keysym)
        self._send("KeyReleaseEvent", xy, modifiers, code, 1, keysym)

    def leave(self) -> None:
        """Moves the mouse out of the view, if it is there."""
        if _with_mouse.get(self.host) is not None and _with_mouse[self.host]() is self:
            del _with_mouse[self.host]
            self._send("LeaveEvent", self._here(), ())

    def pixel_of(self, ras) -> tuple[int, int]:
        """The pixel that shows a position.

        Raises:
            ValueError: none does.
        """
        return self._whole(self.xy_of(ras), ras)

    def _enter(self, modifiers) -> None:
        before = _with_mouse.get(self.host)
        before = before() if before is not None else None
        if before is self:
            return
        if before is not None:
            before.leave()
        _with_mouse[self.host] = weakref.ref(self)
        # It brings no position in Qt either.
        self._send("EnterEvent", self._here(), modifiers)

    def _send(self, event, xy, modifiers, code="\0", repeat=0, keysym=None) -> None:
        """One event. What changed is drawn before and after, as Slicer's event loop would."""
        unknown = set(modifiers) - set(MODIFIERS)
        if unknown:
            raise ValueError(f"{unknown} are no modifiers; these are: {MODIFIERS}.")
        self.render_if_requested()
        held = [name in modifiers for name in MODIFIERS]
        self.interactor.SetEventInformation(*xy, held[0], held[1], code, repeat, keysym)
        self.interactor.SetAltKey(held[2])
        self.interactor.InvokeEvent(event)
        if not self.closed:
            self.render_if_requested()

    def _here(self) -> tuple[int, int]:
        return tuple(self.interactor.GetEventPosition())

    def _whole(self, xy, ras=None) -> tuple[int, int]:
        pixel = tuple(round(float(value)) for value in xy)
        if not all(0 <= value < size for value, size in zip(pixel, self.size, strict=True)):
            what = f"Pixel {pixel}" if ras is None else f"RAS {tuple(ras)} (pixel {pixel})"
            raise ValueError(f"{what} is outside the view of {self.size} pixels.")
        return pixel


def _key_code(keysym: str, modifiers) -> str:
    if len(keysym) != 1:
        return KEY_CODES.get(keysym, "\0")
    if "control" in modifiers and keysym.isalpha():
        return chr(ord(keysym.upper()) - ord("@"))
    return keysym
