"""The translation template holds all texts that users see, and lupdate would find the same."""

import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from importlib.util import find_spec
from pathlib import Path

import pytest

import translations

ROOT = Path(__file__).parents[2]
MODULE = ROOT / "SAMSegment"
HINT = "run: python Scripts/develop.py translations"


def write(folder, name, text):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_the_template_is_up_to_date():
    present = (ROOT / translations.TEMPLATE).read_text(encoding="utf-8")
    assert present == translations.template(translations.collect(MODULE)), HINT


def test_names_of_node_classes_are_not_offered_for_translation():
    texts = [text for _, text in translations.collect(MODULE)]
    assert [text for text in texts if text.startswith(("vtk", "qMRML"))] == []


def test_placeholders_are_named():
    # Two nameless ones could not change places in another language.
    texts = [text for _, text in translations.collect(MODULE)]
    assert [text for text in texts if re.search(r"(?<!\{)\{[\d:!}]|%\d|%s", text)] == []


def test_texts_of_a_package_have_the_context_that_slicer_looks_up(tmp_path):
    write(tmp_path, "package/__init__.py", "")
    inside = write(tmp_path, "package/panel.py", 'a = _("Apply")\n')
    beside = write(tmp_path, "Module.py", 'a = translate("Other", "Undo")\nb = _("Redo")\n')
    assert translations.python_texts(inside) == [("package.panel", "Apply")]
    assert translations.python_texts(beside) == [("Other", "Undo"), ("Module", "Redo")]


@pytest.mark.parametrize(
    "line",
    [
        '_(f"{count} points")',
        "_(name)",
        '_("a" + b)',
        "_('single quotes')",
        "_(\"two\" 'kinds')",
        '_("ends (\\"here\\") early")',
        '_("one", "two")',
        'translate(context, "text")',
    ],
)
def test_texts_that_translators_would_not_see_are_refused(tmp_path, line):
    with pytest.raises(translations.TextError, match=r"module\.py:1"):
        translations.python_texts(write(tmp_path, "module.py", line + "\n"))


def test_init_and_other_underscored_calls_are_no_texts(tmp_path):
    path = write(tmp_path, "module.py", 'super().__init__("a")\nself._("b")\n_say("c")\n')
    assert translations.python_texts(path) == []


def test_texts_of_an_ui_file_leave_out_what_is_marked_and_what_is_empty(tmp_path):
    ui = (
        '<ui version="4.0"><class>Panel</class><widget class="QWidget" name="Panel">'
        '<property name="text"><string>Apply &amp; close</string></property>'
        '<property name="a"><string notr="true">key</string></property>'
        '<property name="b"><stringlist notr="true"><string>vtk</string></stringlist></property>'
        '<property name="c"><string/></property>'
        "</widget></ui>"
    )
    assert translations.ui_texts(write(tmp_path, "Panel.ui", ui)) == [("Panel", "Apply & close")]


def test_a_text_in_two_files_is_translated_once(tmp_path):
    for name in ("a.py", "b.py"):
        write(tmp_path / "module", name, 'translate("Shared", "Segment")\n')
    texts = translations.collect(tmp_path / "module")
    assert texts == {("Shared", "Segment"): ["module/a.py", "module/b.py"]}


def test_the_template_keeps_every_sign_of_a_text():
    text = "a <b>\"b\"</b> & 'c'\nµ × −"
    root = ElementTree.fromstring(translations.template({("Context", text): ["a.py"]}))
    assert root.findtext("context/message/source") == text


def test_a_text_that_cannot_be_translated_fails_the_command(tmp_path, capsys):
    write(tmp_path / "SAMSegment", "module.py", "_(name)\n")
    assert translations.write(tmp_path) == 1
    assert "module.py:1" in capsys.readouterr().out
    assert not (tmp_path / translations.TEMPLATE).exists()


def test_lupdate_finds_the_same_texts(tmp_path):
    # Slicer's script turns _("...") into translate("context", "...") and runs lupdate on that.
    # Found, not imported: the headless Slicer must be the first to import it.
    folder = Path(find_spec("PySide6").origin).parent
    lupdate = shutil.which("lupdate", path=str(folder))
    if lupdate is None:
        pytest.skip("this PySide6 has no lupdate")
    sources = []
    for path in MODULE.rglob("*"):
        if path.suffix not in (".py", ".ui"):
            continue
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".py":
            context = translations.python_context(path)
            text = re.sub(r'([^_\w.])_\((\s*")', rf'\1translate("{context}", \2', text)
        sources.append(write(tmp_path, str(path.relative_to(ROOT)), text))
    result = tmp_path / "found.ts"
    command = [lupdate, "-silent", *map(str, sources), "-ts", str(result)]
    subprocess.run(command, check=True, capture_output=True)
    found = {
        (context.findtext("name"), message.findtext("source"))
        for context in ElementTree.parse(result).getroot().iter("context")
        for message in context.iter("message")
    }
    assert found == set(translations.collect(MODULE))
