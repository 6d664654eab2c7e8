"""The module `slicer.i18n`: English, as in a Slicer without language packs."""

from __future__ import annotations

import types


def tr(text: str) -> str:
    return text


def translate(context: str, text: str) -> str:
    return text


def python_module() -> types.ModuleType:
    module = types.ModuleType("slicer.i18n")
    module.tr, module.translate = tr, translate
    return module
