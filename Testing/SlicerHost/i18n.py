"""The module `slicer.i18n`: English, as in a Slicer without language packs, if not said otherwise.

`use(translation)` makes it another language; None is English again.
"""

from __future__ import annotations

import types
from collections.abc import Callable

_translation: Callable[[str], str] | None = None


def use(translation: Callable[[str], str] | None) -> None:
    """What texts become from now on."""
    global _translation
    _translation = translation


def tr(text: str) -> str:
    return text if _translation is None else _translation(text)


def translate(context: str, text: str) -> str:
    return text


def python_module() -> types.ModuleType:
    module = types.ModuleType("slicer.i18n")
    module.tr, module.translate = tr, translate
    return module
