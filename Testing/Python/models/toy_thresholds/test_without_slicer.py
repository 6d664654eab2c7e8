"""The toy through the worker's process, in plain Python, and from a shell."""

import threading
import warnings

import numpy as np
import pytest
import SimpleITK as sitk

from SAMSegmentLib import Segmenter
from SAMSegmentLib.__main__ import main
from SAMSegmentLib.core.errors import Cancelled, InputError
from SAMSegmentLib.core.files import read_image
from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.image import Image, sitk_from_array
from SAMSegmentLib.core.prompts import Point, Prompts
from SAMSegmentLib.worker.client.blocking import BlockingClient, BlockingInProcess
from SAMSegmentLib.worker.protocol.events import PredictionRequest
from TestSupport.phantoms import dice

from .conftest import AIR, BODY, GEOMETRY, NAME, ct, truth, voxels

OBLIQUE = np.array([[1.6, -1.2, 0.1, 9], [1.2, 1.6, 0, -4], [0, 0.3, 2.9, 7], [0, 0, 0, 1.0]])


class TestWorker:
    """Its process takes the package from Python's path, and the model from the message."""

    @pytest.fixture
    def client(self, model):
        client = BlockingClient("cpu")
        yield client
        client.close()

    @pytest.mark.parametrize("matrix", [GEOMETRY.ijk_to_ras, OBLIQUE], ids=["straight", "sheared"])
    def test_all_structures_come_on_whatever_grid_is_asked_for(self, model, client, matrix):
        image = Image(voxels(), Geometry(matrix, GEOMETRY.shape), "CT")
        finer = np.diag([0.5, 0.5, 0.5, 1.0])
        finer[:3, 3] = -0.25
        for target in (image.geometry, Geometry(matrix @ finer, [2 * n for n in GEOMETRY.shape])):
            proposals = client.propose(PredictionRequest(model, image, Prompts(), target))
            assert [each.label for each in proposals] == list(model.labels())
            for proposal in proposals:
                mask = proposal.patch().on_box((0, 0, 0), target.shape)
                scale = target.shape[0] // GEOMETRY.shape[0]
                expected = truth()[proposal.label.name].repeat(scale, 0).repeat(scale, 1)
                # Between voxels, logits are interpolated: corners are rounded off.
                assert dice(mask, expected.repeat(scale, 2)) > (0.99 if scale == 1 else 0.93)

    def test_one_structure_comes_if_one_is_asked_for(self, model, client):
        request = PredictionRequest(model, ct(), Prompts(), GEOMETRY, structures=(AIR,))
        (air,) = client.propose(request)
        assert air.label.name == AIR and not air.is_empty

    def test_the_same_comes_without_a_process(self, model, client):
        request = PredictionRequest(model, ct(), Prompts(), GEOMETRY)
        own = BlockingInProcess("cpu")
        pairs = zip(own.propose(request), client.propose(request), strict=True)
        for one, other in pairs:
            assert one.levels.start == other.levels.start and one.label == other.label
            assert np.array_equal(one.levels.values, other.levels.values)

    def test_it_can_be_cancelled_and_asked_again(self, model, client):
        cancel = threading.Event()
        request = PredictionRequest(model, ct(), Prompts(), GEOMETRY)
        with pytest.raises(Cancelled):
            client.propose(request, lambda *_: cancel.set(), cancel)
        assert len(client.propose(request)) == 2

    def test_prompts_and_structures_that_it_does_not_take_are_refused(self, model, client):
        click = Prompts(points=(Point((44.0, 36.0, 20.0)),))
        for changes, says in (
            ({"prompts": click}, "takes no prompts: remove the points"),
            ({"structures": ("Liver",)}, "has no structure 'Liver'. It has Body"),
        ):
            given = {"prompts": Prompts(), **changes}
            with pytest.raises(InputError, match=says):
                client.propose(PredictionRequest(model, ct(), target=GEOMETRY, **given))


class TestSegmenter:
    @pytest.fixture
    def segmenter(self, model):
        with Segmenter(sitk_from_array(voxels(), GEOMETRY), model=NAME, device="cpu") as segmenter:
            yield segmenter

    def test_masks_come_by_name_on_the_images_grid(self, segmenter):
        assert segmenter.structures == (BODY, AIR)
        masks = segmenter.masks()
        assert list(masks) == [BODY, AIR]
        for name, mask in masks.items():
            assert dice(sitk.GetArrayFromImage(mask) > 0, truth()[name]) > 0.99
            assert mask.GetOrigin() == segmenter.image.owner.GetOrigin()

    def test_one_of_them_can_be_asked_for_and_then_is_the_mask(self, segmenter):
        (air,) = segmenter.masks(structures=[AIR]).values()
        answer = segmenter.prediction([AIR])
        assert np.array_equal(answer.mask(), sitk.GetArrayFromImage(air))

    def test_a_lower_threshold_gives_more_without_the_model(self, segmenter, monkeypatch):
        sizes = [sitk.GetArrayFromImage(segmenter.masks()[AIR]).sum()]
        monkeypatch.setattr(segmenter._client, "predict", None)
        sizes += [sitk.GetArrayFromImage(segmenter.masks(t)[AIR]).sum() for t in (0.9, 0.001)]
        assert sizes[1] <= sizes[0] <= sizes[2]

    def test_what_cannot_be_done_with_it_says_what_can(self, segmenter):
        for call, says in (
            (
                lambda: segmenter.set_roi((44, 36, 20), (20, 20, 20)),
                "takes no prompts: remove the ROI",
            ),
            (lambda: segmenter.add_point((44, 36, 20)), "takes no prompts: remove the points"),
            (segmenter.mask, r"several structures \(Body, Air in the body\): name one"),
            (lambda: segmenter.masks(structures=["Air in body"]), "Did you mean Air in the body"),
            (lambda: segmenter.masks(structures=AIR), "structures: a list of texts is needed"),
        ):
            with pytest.raises(InputError, match=says):
                call()

    def test_a_model_that_needs_prompts_says_so(self, model):
        with Segmenter(sitk_from_array(voxels(), GEOMETRY), device="cpu") as segmenter:
            assert segmenter.structures == ()
            with pytest.raises(InputError, match=r"set them, and call mask\(\)"):
                segmenter.masks()
            with pytest.raises(InputError, match="knows no structures"):
                segmenter.prediction(["Liver"])


class TestShell:
    @pytest.fixture
    def path(self, model, tmp_path):
        path = tmp_path / "ct.nrrd"
        geometry = Geometry(OBLIQUE, GEOMETRY.shape)
        sitk.WriteImage(sitk_from_array(voxels(), geometry), str(path))
        return path

    def run(self, path, output, *more):
        given = ["segment", str(path), "--model", NAME, "--device", "cpu", "--output", str(output)]
        return main([*given, *more])

    def test_all_structures_are_written_into_one_file_with_their_names(
        self, path, tmp_path, capsys
    ):
        output = tmp_path / "labels.seg.nrrd"
        assert self.run(path, output, "--quiet") == 0
        assert capsys.readouterr() == ("", "")
        image = sitk.ReadImage(str(output))
        assert [image.GetMetaData(f"Segment{n}_Name") for n in (0, 1)] == [BODY, AIR]
        assert "Body structure" in image.GetMetaData("Segment0_Tags")
        layers = sitk.GetArrayFromImage(image)
        for number, name in enumerate((BODY, AIR)):
            layer = int(image.GetMetaData(f"Segment{number}_Layer"))
            value = int(image.GetMetaData(f"Segment{number}_LabelValue"))
            assert dice(layers[..., layer] == value, truth()[name]) > 0.99

    def test_a_plain_labelmap_says_which_value_is_which_and_what_it_cannot_keep(
        self, path, tmp_path, capsys
    ):
        output = tmp_path / "labels.nrrd"
        assert self.run(path, output) == 0
        said = capsys.readouterr()
        assert f"{output}: 1 {BODY}, " in said.out and f"{output}: 2 {AIR}, " in said.out
        assert "voxels belong to several structures" in said.err and ".seg.nrrd" in said.err
        back = read_image(output)
        assert back.geometry.is_close(Geometry(OBLIQUE, GEOMETRY.shape))
        assert dice(back.voxels == 2, truth()[AIR]) > 0.99
        assert dice(back.voxels > 0, truth()[BODY]) > 0.99

    def test_one_structure_can_be_chosen(self, path, tmp_path):
        output = tmp_path / "air.nrrd"
        assert self.run(path, output, "--structure", AIR) == 0
        assert dice(read_image(output).voxels > 0, truth()[AIR]) > 0.99

    @pytest.mark.parametrize(
        ("more", "says"),
        [
            (["--structure", "Liver"], "has no structure 'Liver'"),
            (["--roi", "44", "36", "20", "9", "9", "9"], "leave --roi out"),
            (["--point", "44", "36", "20", "--name", "Lung"], "leave --point and --name out"),
        ],
    )
    def test_what_it_does_not_take_is_refused_before_any_work(
        self, path, tmp_path, capsys, monkeypatch, more, says
    ):
        monkeypatch.setattr("SAMSegmentLib.api.Segmenter.__init__", None)
        assert self.run(path, tmp_path / "a.nrrd", *more) == 2
        assert says in capsys.readouterr().err

    def test_where_nothing_is_found_nothing_is_written(self, model, tmp_path, capsys):
        path, output = tmp_path / "air.nrrd", tmp_path / "labels.nrrd"
        noise = np.random.default_rng(0).integers(-1010, -990, GEOMETRY.shape).astype(np.int16)
        sitk.WriteImage(sitk_from_array(noise, GEOMETRY), str(path))
        assert self.run(path, output, "--quiet") == 1
        assert "found none of these" in capsys.readouterr().err and not output.exists()

    def test_a_model_that_needs_prompts_refuses_structures(self, path, tmp_path, capsys):
        given = ["segment", str(path), "--output", str(tmp_path / "a.nrrd"), "--structure", "Liver"]
        assert main(given) == 2
        assert "knows no structures" in capsys.readouterr().err

    def test_the_list_of_models_has_it(self, model, capsys):
        assert main(["models"]) == 0
        assert NAME in capsys.readouterr().out


def test_no_warning_comes_where_there_is_nothing_to_know(model):
    with (
        warnings.catch_warnings(),
        Segmenter(sitk_from_array(voxels(), GEOMETRY), model=NAME, device="cpu") as segmenter,
    ):
        warnings.simplefilter("error", UserWarning)
        segmenter.masks()
