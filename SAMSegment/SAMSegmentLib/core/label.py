"""What a mask shows; light, since model entries are read where nothing else is imported."""

from __future__ import annotations

from dataclasses import dataclass

# The first of Slicer's own colours of segments. Source: GenericAnatomyColors.
_COLORS = (
    (0.501961, 0.682353, 0.501961),
    (0.945098, 0.839216, 0.568627),
    (0.694118, 0.478431, 0.396078),
    (0.435294, 0.721569, 0.823529),
    (0.847059, 0.396078, 0.309804),
    (0.866667, 0.509804, 0.396078),
)


@dataclass(frozen=True)
class Label:
    """The structure that a mask shows.

    Attributes:
        name: of the structure, as the model's entry says it.
        terminology: Slicer's serialized terminology entry; "" for Slicer's default.
        color: red, green and blue, 0 to 1; None for a colour of Slicer's own.
    """

    name: str
    terminology: str = ""
    color: tuple[float, float, float] | None = None


def default_color(number: int) -> tuple[float, float, float]:
    """A colour for the label of that number (0, 1, ...) that has none of its own."""
    return _COLORS[number % len(_COLORS)]
