"""What model.json may say: the parser and the schema agree, and nothing odd comes through."""

import copy
import json
import re

import jsonschema
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from SAMSegmentLib.weights.catalogue import MODELS_FOLDER, catalogue
from SAMSegmentLib.weights.model_json import Structure, parse

SCHEMA = json.loads((MODELS_FOLDER / "model.schema.json").read_text(encoding="utf-8"))
REFERENCE = jsonschema.Draft202012Validator(SCHEMA)
LIVER = {
    "name": "liver",
    "category": ["SCT", "123037004", "Anatomical Structure"],
    "type": ["SCT", "10200004", "Liver"],
    "color": [221, 130, 101],
}
AUTOMATIC = {
    "version": 1,
    "name": "organs",
    "title": "Organs",
    "architecture": "unet",
    "parameters": {"channels": 32, "slope": 0.5, "residual": True, "norm": "instance"},
    "parameter_count": 5,
    "trained": True,
    "task": "automatic",
    "structures": [LIVER, {"name": "air"}],
    "modalities": ["CT"],
    "file": "organs.safetensors",
    "size": 402,
    "sha256": "a" * 64,
    "converted_sha256": "b" * 64,
    "downloads": ["https://a.org/organs.safetensors"],
    "code_licence": "MIT",
    "weights_licence": "MIT",
    "restriction": "",
    "source": "trained here",
    "timings": [{"what": "a chest", "seconds": 2, "computer": "a laptop"}],
    "citation": "Nobody",
}


def of_model(name):
    return json.loads((MODELS_FOLDER / name / "model.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", list(catalogue()))
def test_models_that_come_with_samsegment_fit_the_schema(name):
    REFERENCE.validate(of_model(name))
    assert not of_model(name).get("downloads") or of_model(name)["source"].startswith("https://")


def test_what_is_said_becomes_values():
    REFERENCE.validate(AUTOMATIC)
    values = parse(json.dumps(AUTOMATIC))
    liver, air = values["structures"]
    assert liver.color == (221, 130, 101) and air == Structure("air")
    assert values["parameters"] == AUTOMATIC["parameters"]
    assert values["timings"][0].seconds == 2.0
    assert "version" not in values


def test_a_structures_codes_become_an_entry_of_slicers_terminology():
    assert Structure("air").terminology is None
    left = ("SCT", "7771000", "Left")
    kidney = Structure("kidney", ("SCT", "1", "A"), ("SCT", "2", "B"), left)
    assert kidney.terminology == (
        "Segmentation category and type - 3D Slicer General Anatomy list~SCT^1^A~SCT^2^B"
        "~SCT^7771000^Left~Anatomic codes - DICOM master list~^^~^^"
    )


def test_a_structure_is_a_label_of_masks():
    label = Structure("air", color=(255, 0, 51)).label
    assert (label.name, label.terminology, label.color) == ("air", "", (1.0, 0.0, 0.2))
    assert Structure("air").label.color is None


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"size": None}, "size is no integer"),
        ({"size": 10**400}, "size is not from 1 to"),
        ({"size": True}, "size is no integer"),
        ({"sha256": "A" * 64}, "sha256 does not look like"),
        ({"file": "../../evil.pth"}, "file does not look like"),
        ({"file": "..\\evil.pth"}, "file does not look like"),
        ({"file": "C:evil.pth"}, "file does not look like"),
        ({"file": "model.json"}, "file does not look like"),
        ({"file": "nul.pth"}, "Windows keeps for itself"),
        ({"name": "../evil"}, "name does not look like"),
        ({"name": "a" * 65}, "name is longer than 64"),
        ({"name": "model\n"}, "name does not look like"),
        ({"architecture": "../evil"}, "architecture does not look like"),
        ({"parameters": {"a": [1]}}, r"parameters\.a is no number"),
        ({"parameters": {"__class__": 1}}, "__class__"),
        ({"downloads": ["http://a.org/x.pth"]}, r"downloads\[0\] does not look"),
        ({"downloads": ["file:///etc/passwd"]}, r"downloads\[0\] does not look"),
        ({"downloads": ["https://user:secret@a.org/x.pth"]}, r"downloads\[0\] does not look"),
        ({"licence": "mine"}, "'licence', which is not known"),
        ({"a\nb": 1}, r"has 'a\\nb', which is not known"),
        ({"title": ""}, "title is empty"),
        ({"title": "a\x1b[31m"}, "title does not look like"),
        ({"title": "a\ud800"}, "title does not look like"),
        ({"restriction": "a\ud800"}, "restriction does not look"),
        ({"citation": "a\ud800"}, "citation does not look like"),
        ({"modalities": ["CT", "CT"]}, "modalities has the same twice"),
        ({"modalities": []}, "modalities has fewer"),
        ({"timings": [{"what": "a", "seconds": 0, "computer": "b"}]}, r"\[0\]\.seconds is not"),
        ({"task": "both"}, "task is none of"),
        ({"task": "interactive"}, "task is interactive needs prompts"),
        ({"prompts": ["roi"]}, "task is automatic has no prompts"),
        ({"structures": []}, "task is automatic needs structures"),
        ({"structures": [LIVER, LIVER]}, "there are two structures 'liver'"),
        ({"structures": [{**LIVER, "color": [0, 0, 256]}]}, r"color\[2\] is not from 0 to 255"),
        ({"structures": [{**LIVER, "type": ["SCT", "1~2", "x"]}]}, r"type\[1\] does not look"),
        ({"structures": [{"name": "a", "type": LIVER["type"]}]}, "needs category and type"),
        ({"version": 2}, "version is none of 1"),
    ],
)
def test_what_cannot_be_is_refused_with_the_place(change, says):
    with pytest.raises(ValueError, match=says):
        parse(json.dumps({**AUTOMATIC, **change}))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"parts": {}}, "parts is no object, or one of none"),
        ({"parts": ["litemedsam"]}, "parts is no object"),
        ({"parts": {"fast": "../evil"}}, r"parts\.fast does not look like"),
        ({"parts": {"__class__": "litemedsam"}}, "__class__"),
        ({"parts": {f"part{n}": "litemedsam" for n in range(9)}}, "too many"),
        ({"size": 3}, "with parts has no size of its own"),
        ({"file": "a.pth"}, "with parts has no file of its own"),
        ({"downloads": []}, "with parts has no downloads of its own"),
    ],
)
def test_a_model_that_is_made_of_others_has_no_weights_of_its_own(change, says):
    with pytest.raises(ValueError, match=says):
        parse(json.dumps({**of_model("automatic"), **change}))


@pytest.mark.parametrize("key", ["name", "title", "architecture", "task", "file", "sha256"])
def test_what_must_be_said_is_missed(key):
    with pytest.raises(ValueError, match=f"it lacks {key}"):
        parse(json.dumps({name: value for name, value in AUTOMATIC.items() if name != key}))


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000, "3", "\x00", '{"size": NaN}'])
def test_what_is_no_object_is_refused(text):
    with pytest.raises(ValueError, match=r"\S"):
        parse(text)


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["../x.pth", "a/b.pth", ".pth", "a.pth", "https://a.org/x", "roi", "CT"]),
    st.dictionaries(st.sampled_from(["fast", "Fast"]), st.sampled_from(["litemedsam", "../x"])),
    st.sampled_from(["f" * 64, "F" * 64, "automatic", "interactive", "x" * 301]),
    st.lists(st.sampled_from(["roi", "points", "CT", 1, True, 1.0]), max_size=3),
    st.dictionaries(st.sampled_from(["what", "name", "type", "more"]), st.integers(0, 2)),
)


def places(value, here=()):
    """All places within a value, from the outside to the inside."""
    yield here
    inside = {dict: dict.items, list: enumerate}.get(type(value), lambda _: ())(value)
    for key, item in inside:
        yield from places(item, (*here, key))


MODELS = [AUTOMATIC, *map(of_model, catalogue())]
PLACES = [(index, place) for index, one in enumerate(MODELS) for place in places(one) if place]


@given(st.sampled_from(PLACES), st.sampled_from(["replace", "delete", "add"]), ODD)
@example((0, ("size",)), "replace", 1.5)
@example((0, ("name",)), "replace", "a\n")
@example((0, ("file",)), "delete", None)
def test_the_parser_agrees_with_the_schema(place, edit, new):
    index, (*outer, key) = place
    changed = copy.deepcopy(MODELS[index])
    at = changed
    for one in outer:
        at = at[one]
    if edit == "delete":
        del at[key]
    elif edit == "add" and isinstance(at, dict):
        at["extra"] = new
    else:
        at[key] = new
    text = json.dumps(changed)
    try:
        parse(text)
        is_taken = True
    except ValueError:
        is_taken = False
    # JSON Schema takes 2.0 for an integer, knows NaN, and has Python's $ match before a line break.
    odd = re.search(r"NaN|Infinity|\d\.0\b|\\n", text)
    assert is_taken == REFERENCE.is_valid(changed) or (odd and not is_taken)
