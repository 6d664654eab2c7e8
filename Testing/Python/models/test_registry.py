"""Which engine runs a model: those that come with SAMSegment, and those of other packages."""

import dataclasses
import subprocess
import sys

import pytest
import torch

from SAMSegmentLib.core.errors import InputError, SAMSegmentError
from SAMSegmentLib.models.registry import architectures, engine_of
from SAMSegmentLib.weights.catalogue import catalogue, model_entry
from TestSupport import messages
from TestSupport.catalogue_models import model_run_by
from TestSupport.quick_engine import QuickEngine


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Makes another Python package that brings architectures."""

    def make(code: str, **architectures: str) -> None:
        folder = tmp_path / "other.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1\n")
        lines = [f"{name} = {value}\n" for name, value in architectures.items()]
        (folder / "entry_points.txt").write_text("".join(["[samsegment.architectures]\n", *lines]))
        (tmp_path / "other_package.py").write_text(code)
        monkeypatch.syspath_prepend(str(tmp_path))

    yield make
    sys.modules.pop("other_package", None)


@pytest.mark.parametrize("name", catalogue())
def test_every_model_of_the_catalogue_has_an_engine(name):
    engine, options = engine_of(model_entry(name))
    assert engine.capabilities.task == "interactive"
    assert options == ({"numbers": torch.int8} if name.endswith("int8") else {})


def test_a_folder_with_an_engine_is_an_architecture():
    assert {"litemedsam", "samsegment3d", "sammed3d"} <= set(architectures())
    assert not {"slicewise", "windowed", "shared_layers", "tensor_files"} & set(architectures())


def test_other_packages_bring_architectures():
    assert engine_of(model_run_by("quick")) == (QuickEngine, {})


def test_nothing_is_imported_before_it_is_used():
    code = (
        "import sys; from SAMSegmentLib.models import registry; registry.architectures(); "
        "print([name for name in sys.modules if name == 'torch' or name.endswith('.engine')])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout == "[]\n", result.stderr


@pytest.mark.parametrize("name", ["unheard-of", "os", "slicewise", "../litemedsam", "", "base"])
def test_a_name_that_is_on_no_list_imports_nothing(name):
    before = set(sys.modules)
    with pytest.raises(InputError) as raised:
        engine_of(model_run_by(name))
    assert str(raised.value).startswith(
        f"LiteMedSAM needs the architecture {name!r}, which is not known here: update SAMSegment,"
    )
    assert set(sys.modules) == before


def test_an_architecture_of_our_own_is_not_replaced_by_another_packages(package):
    package("import nowhere", litemedsam="other_package:Engine")
    engine, _ = engine_of(model_entry("litemedsam"))
    assert engine.__name__ == "LiteMedSAMEngine"


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("import nowhere", "cannot be loaded from other_package:Mine .ModuleNotFoundError: No mod"),
        ("Mine = 5", "is no complete Engine"),
        ("class Mine: pass", "is no complete Engine"),
        (
            "from SAMSegmentLib.models.base import Engine\nclass Mine(Engine): pass",
            "is no complete Engine",
        ),
    ],
)
def test_what_another_package_does_wrong_is_told_in_a_sentence(package, code, says):
    package(code, mine="other_package:Mine")
    with pytest.raises(SAMSegmentError, match=says):
        engine_of(model_run_by("mine"))


def test_an_entry_cannot_promise_what_its_architecture_cannot_do():
    entry = dataclasses.replace(model_entry("samsegment3d"), prompts=("roi", "line"))
    with pytest.raises(InputError, match="SAMSegment 3D says that it takes line as prompts, which"):
        engine_of(entry)
    entry = dataclasses.replace(model_entry("sam-med3d-turbo"), single_slices=True)
    with pytest.raises(InputError, match="says that it takes single slices"):
        engine_of(entry)


def test_an_entry_says_of_which_models_it_is_made_as_its_architecture_needs():
    plain = dataclasses.replace(model_entry("samsegment3d"), architecture="cascade")
    with pytest.raises(InputError, match=r"makes it of no models, but its .* of borders, fast"):
        engine_of(plain)
    made = dataclasses.replace(model_entry("automatic"), architecture="samsegment3d")
    with pytest.raises(InputError, match=r"makes it of borders, fast, but its .* of no models"):
        engine_of(made)


def test_an_entry_and_its_architecture_have_the_same_task():
    organs = dataclasses.replace(messages.AUTOMATIC, architecture="samsegment3d", parameters={})
    with pytest.raises(InputError, match="says that it is automatic, but its architecture"):
        engine_of(organs)
