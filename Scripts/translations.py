"""Keeps the translation template, Resources/Translations/SAMSegment_en-US.ts, as the texts are.

Slicer's translations live in the repository Slicer/SlicerLanguageTranslations, one Qt Linguist file
per extension and language, made from such a template; extensions do not install them. This script
collects what Slicer's own Utilities/Scripts/update_translations.py and Qt's lupdate would, without
needing them: `_("...")` and `translate("context", "...")` in Python, and texts in .ui files.
"""

from __future__ import annotations

import ast
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

TEMPLATE = Path("Resources") / "Translations" / "SAMSegment_en-US.ts"
FUNCTION, FUNCTION_WITH_CONTEXT = "_", "translate"

# Slicer's script finds a text by its first and last quote, so it must know where it ends.
ENDS_EARLY = re.compile(r'"\s*\)')


class TextError(ValueError):
    """A text that translators would never get to see; says where and why."""


def python_context(path: Path) -> str:
    """The context that slicer.i18n.tr looks up for a file: the package's folder and the file."""
    if (path.parent / "__init__.py").is_file():
        return f"{path.parent.name}.{path.stem}"
    return path.stem


def python_texts(path: Path) -> list:
    """(context, text) of all texts in a Python file, in its order.

    Raises:
        TextError: if a text is not a plain literal, or written so that Slicer's script misses it.
    """
    source = path.read_text(encoding="utf-8")
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    calls.sort(key=lambda call: (call.lineno, call.col_offset))
    found = []
    for call in calls:
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        if name == FUNCTION:
            found.append((python_context(path), _text(path, call, source, 1)))
        elif name == FUNCTION_WITH_CONTEXT:
            context = call.args[0]
            if not isinstance(context, ast.Constant):
                raise TextError(f"{path.name}:{call.lineno}: the context is not a literal")
            found.append((context.value, _text(path, call, source, 2)))
    return found


def _text(path: Path, call: ast.Call, source: str, count: int) -> str:
    where = f"{path.name}:{call.lineno}"
    if len(call.args) != count or call.keywords:
        raise TextError(f"{where}: {count} argument(s) expected")
    text = call.args[-1]
    if not isinstance(text, ast.Constant) or not isinstance(text.value, str):
        raise TextError(f"{where}: not a plain text; use placeholders and .format()")
    written = ast.get_source_segment(source, text)
    if not (written.startswith('"') and written.endswith('"')) or ENDS_EARLY.search(written):
        raise TextError(f"{where}: Slicer's script needs double quotes around all parts of a text")
    return text.value


def ui_texts(path: Path) -> list:
    """(context, text) of all texts in a .ui file, in its order."""
    root = ElementTree.parse(str(path)).getroot()
    context = root.findtext("class")
    found = []
    for element in root.iter():
        # Of a list, the list says whether it is translated.
        if element.get("notr") == "true" or element.tag == "customwidgets":
            continue
        for child in element.findall("string"):
            if child.text and child.get("notr") != "true":
                found.append((context, child.text))
    return found


def collect(module_folder: Path) -> dict:
    """All texts: (context, text) -> the files that hold it, relative to the repository, sorted."""
    files = [path for path in module_folder.rglob("*") if path.suffix in (".py", ".ui")]
    texts = {}
    for path in sorted(files):
        found = python_texts(path) if path.suffix == ".py" else ui_texts(path)
        name = path.relative_to(module_folder.parent).as_posix()
        for text in found:
            holders = texts.setdefault(text, [])
            if name not in holders:
                holders.append(name)
    return texts


def template(texts: dict) -> str:
    """The template as Qt Linguist reads it; without line numbers, which every change would move."""
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<!DOCTYPE TS>", '<TS version="2.1">']
    for context in sorted({context for context, _ in texts}):
        lines += ["<context>", f"    <name>{_escaped(context)}</name>"]
        for (owner, text), holders in texts.items():
            if owner != context:
                continue
            lines.append("    <message>")
            lines += [f'        <location filename="{_escaped(name)}"/>' for name in holders]
            lines.append(f"        <source>{_escaped(text)}</source>")
            lines.append('        <translation type="unfinished"></translation>')
            lines.append("    </message>")
        lines.append("</context>")
    return "\n".join([*lines, "</TS>", ""])


def _escaped(text: str) -> str:
    for sign, name in (("&", "amp"), ("<", "lt"), (">", "gt"), ('"', "quot"), ("'", "apos")):
        text = text.replace(sign, f"&{name};")
    return text


def write(root: Path) -> int:
    """Rewrites the template of the repository at `root`; returns the exit status."""
    try:
        new = template(collect(root / "SAMSegment")).encode()
    except TextError as error:
        print(error)
        return 1
    path = root / TEMPLATE
    old = path.read_bytes() if path.is_file() else b""
    if new != old:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Bytes, so that Windows keeps LF.
        path.write_bytes(new)
    print(f"{TEMPLATE.as_posix()} " + ("was brought up to date" if new != old else "is right"))
    return 0
