"""Asking for predictions: what is refused before any work, and what happens without memory."""

import dataclasses
import importlib
import os
import re
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from SAMSegmentLib.core.errors import InputError, MissingPackageError
from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.image import Image
from SAMSegmentLib.core.prompts import Point, Prompts, Roi
from SAMSegmentLib.weights.catalogue import model_entry
from SAMSegmentLib.worker.client.in_process import InProcessClient
from SAMSegmentLib.worker.protocol.events import PredictionRequest
from TestSupport.phantoms import ct_with_ball, dice, grid

MODEL = model_entry("litemedsam")
IMAGE = ct_with_ball(grid((8, 64, 64)), (48, 48, 10), 18)
ROI = Prompts(roi=Roi.from_box((48, 48, 10), (44, 44, 2)))


def test_a_prediction_comes_back_on_the_images_grid():
    client = InProcessClient("cpu")
    told = []
    prediction = client.predict(
        PredictionRequest(MODEL, IMAGE, ROI), progress=lambda *what: told.append(what)
    )
    assert prediction.geometry == IMAGE.geometry
    assert prediction.mask().any()
    assert told[0][0] == 0 and told[-1][0] == told[-1][1]
    client.close()


@pytest.mark.parametrize(
    "prompts",
    [
        Prompts(),
        Prompts(points=(Point((48, 48, 900)),)),
        Prompts(roi=Roi.from_box((900, 48, 10), (44, 44, 4))),
    ],
)
def test_prompts_that_do_not_fit_are_refused_before_torch_is_loaded(prompts):
    client = InProcessClient("cpu")
    with pytest.raises(InputError):
        client.predict(PredictionRequest(MODEL, IMAGE, prompts))
    assert client._predictor is None


def test_a_model_that_takes_no_points_is_not_even_loaded_for_them():
    boxes_only = dataclasses.replace(MODEL, prompts=("roi",))
    client = InProcessClient("cpu")
    with pytest.raises(InputError, match="draw an ROI"):
        client.predict(PredictionRequest(boxes_only, IMAGE, Prompts(points=(Point((48, 48, 10)),))))
    with pytest.raises(InputError, match="remove the points"):
        client.predict(
            PredictionRequest(boxes_only, IMAGE, Prompts(ROI.roi, (Point((48, 48, 10)),)))
        )
    assert client._predictor is None


def test_a_point_on_the_object_is_enough():
    request = PredictionRequest(MODEL, IMAGE, Prompts(points=(Point((48, 48, 10)),)))
    prediction = InProcessClient("cpu").predict(request)
    assert dice(prediction.mask(), IMAGE.voxels > 120) > 0.85


def test_negative_points_alone_are_refused_and_the_client_stays_usable():
    client = InProcessClient("cpu")
    with pytest.raises(InputError, match=r"needs an ROI around the object.* or a positive point"):
        client.predict(
            PredictionRequest(MODEL, IMAGE, Prompts(points=(Point((48, 48, 10), positive=False),)))
        )
    assert client.predict(PredictionRequest(MODEL, IMAGE, ROI)).mask().any()


@pytest.mark.parametrize("voxels", [np.zeros((8, 9, 9)), np.full((8, 9, 9), np.nan)])
def test_voxels_without_content_are_refused_before_torch_is_loaded(voxels):
    client = InProcessClient("cpu")
    image = Image(voxels, Geometry(np.eye(4), voxels.shape))
    with pytest.raises(InputError):
        client.predict(
            PredictionRequest(MODEL, image, Prompts(roi=Roi.from_box((4, 4, 4), (4, 4, 4))))
        )
    assert client._predictor is None


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "tpu", ""])
def test_a_device_that_is_not_there_is_refused(device):
    with pytest.raises(InputError, match="no device"):
        InProcessClient(device).predict(PredictionRequest(MODEL, IMAGE, ROI))


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, **environment},
    )


def test_without_torch_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "SAMSegmentLib.worker.child.predictor", None)
    with pytest.raises(ImportError):
        InProcessClient("cpu").predict(PredictionRequest(MODEL, IMAGE, ROI))
    monkeypatch.undo()
    for name in [n for n in sys.modules if n.startswith("SAMSegmentLib.worker.child.predictor")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingPackageError, match="PyTorch is not installed"):
        InProcessClient("cpu").predict(PredictionRequest(MODEL, IMAGE, ROI))


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (
            ImportError("libtorch_cpu.so: failed to map segment from shared object"),
            "PyTorch cannot be loaded: libtorch_cpu.so: failed to map segment from shared object.",
        ),
        (OSError("[WinError 126] The specified module could not be found"), "cannot be loaded"),
        (
            ModuleNotFoundError("No module named 'safetensors.torch'", name="safetensors.torch"),
            "pip install safetensors.",
        ),
    ],
)
def test_a_broken_installation_is_told_in_a_sentence(monkeypatch, error, says):
    def import_module(name):
        if name.endswith(".predictor"):
            raise error
        return importlib.__import__(name, fromlist=["start_predictor"])

    monkeypatch.setattr("importlib.import_module", import_module)
    with pytest.raises(MissingPackageError, match=re.escape(says)):
        InProcessClient("cpu").predict(PredictionRequest(MODEL, IMAGE, ROI))


@pytest.mark.skipif(sys.platform != "linux", reason="limits its memory as only Linux can")
def test_when_memory_runs_out_the_error_says_so_and_the_next_try_works():
    result = run(
        """
        import re, resource
        from SAMSegmentLib.core.errors import OutOfMemoryError
        from SAMSegmentLib.core.prompts import Prompts, Roi
        from SAMSegmentLib.weights.catalogue import model_entry
        from SAMSegmentLib.worker.client.in_process import InProcessClient
        from SAMSegmentLib.worker.protocol.events import PredictionRequest
        from TestSupport.phantoms import ct_with_ball, grid

        image = ct_with_ball(grid((8, 64, 64)), (48, 48, 10), 18)
        prompts = Prompts(roi=Roi.from_box((48, 48, 10), (44, 44, 2)))
        client, model = InProcessClient("cpu"), model_entry("litemedsam")
        # Lets oneDNN make its code: what it once has no memory for, it never makes in a process.
        client.predict(PredictionRequest(model, image, prompts))
        image = ct_with_ball(grid((8, 64, 64)), (40, 40, 10), 18)
        used = int(re.search(r"VmSize:\\s+(\\d+)", open("/proc/self/status").read())[1]) * 1024
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (used + 8 * 2**20, hard))
        try:
            client.predict(PredictionRequest(model, image, prompts))
        except OutOfMemoryError as error:
            print("refused:", error)
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
        print("then:", client.predict(PredictionRequest(model, image, prompts)).mask().any())
        """,
        # What is freed is given back, and does not serve again.
        MALLOC_MMAP_THRESHOLD_="65536",
        MALLOC_TRIM_THRESHOLD_="65536",
    )
    assert result.returncode == 0, result.stderr
    assert "refused: There is not enough memory" in result.stdout
    assert "then: True" in result.stdout
