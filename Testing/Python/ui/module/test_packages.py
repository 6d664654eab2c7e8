"""Python packages that are missing: shown in the module panel, installed after one question."""

import sys
import tomllib
import types
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from TestSupport.fake_worker_service import FakeWorkerService

ROOT = Path(__file__).parents[4]

# Not marked mrml: nothing here depends on the line of slicer-core.


@pytest.fixture
def without(application, monkeypatch):
    """`without("torch")`: as if that package were not installed; the set of those."""
    import slicer.packaging

    absent, pip_check = set(), slicer.packaging.pip_check

    def check(requirement):
        return Requirement(str(requirement)).name not in absent and pip_check(requirement)

    monkeypatch.setattr(slicer.packaging, "pip_check", check)

    def forget(*names):
        absent.update(names)
        return absent

    return forget


@pytest.fixture
def answer(monkeypatch):
    """`answer(True)`: the user agrees to what Slicer asks; the list of questions."""
    import slicer.packaging

    questions = []

    def answer(agrees):
        def confirm(text, *arguments, **options):
            questions.append(text)
            return agrees

        monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", confirm)
        return questions

    return answer


@pytest.fixture
def extension(monkeypatch, without):
    """Slicer's extension PyTorch: what it was asked to install."""
    orders = []

    class PyTorchUtilsLogic:
        def installTorch(
            self,
            askConfirmation=False,
            forceComputationBackend=None,
            torchVersionRequirement=None,
            torchvisionVersionRequirement=None,
        ):
            orders.append((askConfirmation, torchVersionRequirement))
            without().discard("torch")

    module = types.ModuleType("PyTorchUtils")
    module.PyTorchUtilsLogic = PyTorchUtilsLogic
    monkeypatch.setitem(sys.modules, "PyTorchUtils", module)
    return orders


@pytest.fixture
def pip(monkeypatch, without):
    """What pip was asked to install."""
    import slicer.packaging

    orders = []

    def install(requirements, **options):
        orders.extend(requirements)
        without().difference_update(Requirement(one).name for one in requirements)

    monkeypatch.setattr(slicer.packaging, "pip_install", install)
    return orders


def test_without_pytorch_and_its_extension_the_user_learns_how_to_get_it(make_panel, without):
    without("torch")
    panel = make_panel(FakeWorkerService())
    assert panel.ui.missingLabel.text == "torch>=2.4"
    panel.ui.installButton.click()
    assert "Extensions Manager" in panel.ui.setupMessage.text


def test_one_question_and_everything_is_installed(make_panel, without, extension, pip, answer):
    without("torch", "safetensors", "filelock")
    questions = answer(True)
    service = FakeWorkerService()
    panel = make_panel(service)
    assert panel.ui.missingLabel.text == "torch>=2.4, filelock>=4.2, safetensors>=0.4"
    assert extension == pip == questions == []  # nothing without being asked
    panel.ui.installButton.click()
    assert len(questions) == 1 and "3 GB" in questions[0] and "safetensors>=0.4" in questions[0]
    assert extension == [(False, ">=2.4")]
    assert pip == ["filelock>=4.2", "safetensors>=0.4"]
    assert panel.ui.setupMessage.text == "All packages are installed."
    assert not panel.ui.installButton.isVisible() and not panel.ui.missingLabel.isVisible()
    assert service.stopped  # a running worker does not see the new packages


def test_small_packages_need_no_pytorch_extension(make_panel, without, pip, answer):
    without("safetensors")
    questions = answer(True)
    make_panel(FakeWorkerService()).ui.installButton.click()
    assert pip == ["safetensors>=0.4"] and "GB" not in questions[0]


def test_who_declines_keeps_everything_as_it_was(make_panel, without, extension, pip, answer):
    without("torch", "safetensors")
    answer(False)
    service = FakeWorkerService()
    panel = make_panel(service)
    panel.ui.installButton.click()
    assert extension == pip == [] and not service.stopped
    assert panel.ui.setupMessage.text == "" and panel.ui.installButton.isVisible()


def test_an_installation_that_fails_is_reported(make_panel, without, answer, caplog):
    without("safetensors")
    answer(True)
    panel = make_panel(FakeWorkerService())
    panel.ui.installButton.click()  # pip is not run in tests: it raises
    assert "could not be installed: pip is not run here" in panel.ui.setupMessage.text
    assert "could not be installed" in caplog.text


def test_a_package_that_is_still_missing_afterwards_is_reported(
    make_panel, without, answer, monkeypatch
):
    import slicer.packaging

    without("safetensors")
    answer(True)
    monkeypatch.setattr(slicer.packaging, "pip_install", lambda requirements, **options: None)
    panel = make_panel(FakeWorkerService())
    panel.ui.installButton.click()
    assert panel.ui.setupMessage.text.startswith("safetensors>=0.4 was not installed")


@pytest.mark.parametrize("agrees", [True, False])
def test_a_restart_is_offered_only_if_a_package_in_use_was_replaced(
    make_panel, without, pip, answer, monkeypatch, agrees
):
    import slicer.packaging

    from SAMSegmentLib.ui.module import packages

    without("safetensors")
    answer(True)
    offers, restarts, version_of = [], [], packages.version_of
    monkeypatch.setattr(
        slicer.util, "confirmYesNoDisplay", lambda text, *_: offers.append(text) or agrees
    )
    monkeypatch.setattr(slicer.util, "restart", lambda: restarts.append(True), raising=False)
    make_panel(FakeWorkerService()).ui.installButton.click()
    assert offers == []
    without("safetensors")
    monkeypatch.setattr(
        packages,
        "version_of",
        lambda name: "99" if name == "numpy" and pip[1:] else version_of(name),
    )
    make_panel(FakeWorkerService()).ui.installButton.click()
    assert len(offers) == 1 and offers[0].startswith("numpy was in use")
    assert restarts == [True] * agrees


def test_what_slicer_must_have_is_what_the_project_needs():
    from SAMSegmentLib.ui.module import packages

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {str(Requirement(one)) for one in project["dependencies"]}
    listed = {line for line in packages.REQUIREMENTS.read_text().splitlines() if line[0] != "#"}
    # The effect reads no NIfTI files: Slicer does.
    assert "nibabel>=5.2" in wanted - listed
    # What comes with Slicer, too, at the versions that it has.
    assert wanted - listed - {f"torch{packages.TORCH}", "nibabel>=5.2"} == {
        "numpy>=1.26",
        "pydicom>=3.0",
        "scipy>=1.11",
        "SimpleITK>=2.3",
    }
    assert listed <= wanted
