"""SAMSegment: 3D masks from points and regions of interest, with SAM-family models.

Names are loaded on first use, so that importing this package takes no time.
"""

from __future__ import annotations

from importlib import import_module

__version__ = "0.1.0"

_HOME_OF = {
    "Segmenter": ".api",
    "SAMSegmentLogic": ".logic",
    "SegmentEditorEffect": ".SegmentEditorEffect",
}

__all__ = [*_HOME_OF, "__version__"]


def __getattr__(name: str):
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Stored in globals, where the next look-up finds the class at once.
    globals()[name] = getattr(import_module(_HOME_OF[name], __name__), name)
    return globals()[name]


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME_OF])
