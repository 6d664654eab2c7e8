"""The toy by itself: what it finds, and that it is a model as any other."""

import json

import jsonschema
import numpy as np
import pytest
import torch

from SAMSegmentLib.core.errors import Cancelled, InputError
from SAMSegmentLib.core.image import Image
from SAMSegmentLib.core.label import Label
from SAMSegmentLib.core.progress import Watch
from SAMSegmentLib.core.prompts import Point, Prompts
from SAMSegmentLib.models.embedding_cache import EmbeddingCache
from SAMSegmentLib.models.registry import engine_of
from SAMSegmentLib.models.self_check import check_device, reference
from SAMSegmentLib.weights.catalogue import MODELS_FOLDER, catalogue, problems
from TestSupport.phantoms import dice

from .conftest import AIR, BODY, GEOMETRY, HERE, NAME, ct, truth


@pytest.fixture
def engine(model):
    kind, arguments = engine_of(model)
    return kind(model.verified_path(), torch.device("cpu"), EmbeddingCache(1), **arguments)


def test_its_entry_is_one_as_any_other(model):
    said = json.loads((HERE / NAME / "model.json").read_text())
    jsonschema.validate(said, json.loads((MODELS_FOLDER / "model.schema.json").read_text()))
    assert problems() == () and list(catalogue())[-1] == NAME
    body, air = model.labels()
    assert (body.name, air.name) == (BODY, AIR)
    assert np.allclose(body.color, (177 / 255, 122 / 255, 101 / 255))
    assert body.terminology.split("~")[1:3] == [
        "SCT^123037004^Anatomical Structure",
        "SCT^123037004^Body structure",
    ]


def test_it_finds_the_body_without_the_table_and_the_air_in_it(engine):
    answer = engine.segment(ct(), engine.structures, Watch())
    for name, expected in truth().items():
        assert dice(answer.structure(name).mask() > 0, expected) > 0.99
    body, air = (answer.structure(name).mask() for name in (BODY, AIR))
    assert not (air & ~body).any() and (air & body).any()


def test_it_finds_only_what_it_is_asked_for(engine):
    (air,) = engine.segment(ct(), engine.structures[1:], Watch()).masks
    assert air.label.name == AIR
    with pytest.raises(InputError, match="Liver cannot be found"):
        engine.segment(ct(), (Label("Liver"),), Watch())


def test_what_is_not_there_is_an_empty_mask(engine):
    nothing = Image(np.full(GEOMETRY.shape, -1000, np.int16), GEOMETRY)
    answer = engine.segment(nothing, engine.structures, Watch())
    assert not any(answer.structure(name).mask().any() for name in (BODY, AIR))


def test_prompts_change_nothing(engine):
    answer = engine.predict(ct(), Prompts(points=(Point((0, 0, 0)),)), Watch())
    expected = engine.segment(ct(), engine.structures, Watch())
    for name in (BODY, AIR):
        assert np.array_equal(answer.structure(name).mask(), expected.structure(name).mask())


def test_it_stops_when_it_should(engine):
    class Stop:
        def is_set(self):
            return True

    with pytest.raises(Cancelled):
        engine.segment(ct(), engine.structures, Watch(cancel=Stop()))


def test_a_device_is_tried_with_it(model):
    kind, _ = engine_of(model)
    expected = reference(kind)
    assert expected[0].min() < -15 and expected[0].max() > 15
    check_device(kind, torch.device("cpu"), expected)
    with pytest.raises(RuntimeError, match="wrong numbers"):
        check_device(kind, torch.device("cpu"), (expected[0] + 5,))
