"""What a user does outside of Slicer's window: dialogs for files, and addresses that are opened."""

import pytest

pytestmark = pytest.mark.mrml


def test_files_and_folders_are_chosen_beforehand(application):
    import qt

    application.choose("/stick/weights.pth", "/stick", "")
    assert qt.QFileDialog.getOpenFileName(None, "A file", "", "*.pth") == "/stick/weights.pth"
    assert qt.QFileDialog.getExistingDirectory(None, "A folder") == "/stick"
    assert qt.QFileDialog.getOpenFileName(None, "Another") == ""


def test_a_dialog_that_nobody_answers_does_not_hang(application):
    import qt

    with pytest.raises(RuntimeError, match="A folder"):
        qt.QFileDialog.getExistingDirectory(None, "A folder")


def test_nothing_is_opened_but_all_is_noted(application):
    import qt

    assert qt.QDesktopServices.openUrl(qt.QUrl("https://www.slicer.org"))
    assert application.opened == ["https://www.slicer.org"]


def test_texts_can_be_of_another_language(application):
    from slicer.i18n import tr

    from SlicerHost import i18n

    i18n.use(str.upper)
    try:
        assert tr("Apply") == "APPLY"
    finally:
        i18n.use(None)
    assert tr("Apply") == "Apply"
