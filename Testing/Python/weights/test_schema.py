"""The small checker says the same as the package jsonschema, which Slicer does not have."""

import copy
import json
import re

import jsonschema
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from SAMSegmentLib.weights.catalogue import MODELS_FOLDER, SCHEMA
from SAMSegmentLib.weights.schema import problems

RULES = json.loads(SCHEMA.read_text(encoding="utf-8"))
CATALOGUE = json.loads((MODELS_FOLDER / "catalogue.json").read_text(encoding="utf-8"))
REFERENCE = jsonschema.Draft202012Validator(RULES)

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(
        [
            "../x.pth",
            "a/b.pth",
            "c:\\x.pth",
            ".pth",
            "a.pth",
            "http://a.org/x",
            "https://a.org/x.pth",
            "https://@/x",
            "roi",
            "CT",
            "f" * 64,
            "F" * 64,
        ]
    ),
    st.lists(st.sampled_from(["roi", "points", "CT", 1, True, 1.0]), max_size=3),
    st.dictionaries(st.sampled_from(["what", "seconds", "computer", "more"]), st.integers(0, 2)),
)


def places(value, here=()):
    """All places within a value, from the outside to the inside."""
    yield here
    inside = {dict: dict.items, list: enumerate}.get(type(value), lambda _: ())(value)
    for key, item in inside:
        yield from places(item, (*here, key))


PLACES = [place for place in places(CATALOGUE) if place]


def edited(place, edit, new):
    changed = copy.deepcopy(CATALOGUE)
    at = changed
    for key in place[:-1]:
        at = at[key]
    if edit == "replace":
        at[place[-1]] = new
    elif edit == "remove":
        del at[place[-1]]
    elif isinstance(at, dict):
        at["something new"] = new
    else:
        at.append(new)
    return changed


def is_accepted(value) -> bool:
    return not any(problems(value, RULES))


def test_the_schema_is_one_and_the_catalogue_fits_it():
    jsonschema.Draft202012Validator.check_schema(RULES)
    REFERENCE.validate(CATALOGUE)
    assert is_accepted(CATALOGUE)


@given(st.sampled_from(PLACES), st.sampled_from(["replace", "remove", "add"]), ODD)
@example(("models", 0, "embedded"), "replace", False)
@example(("models", 2, "embedded"), "replace", True)
@example(("models", 2, "downloads"), "replace", [])
@example(("models", 2, "prompts"), "replace", ["roi", "roi"])
@example(("models", 2, "size"), "replace", True)
@example(("models", 2, "size"), "replace", 2.0)
@example(("version",), "replace", True)
def test_both_have_the_same_verdict_on_an_edited_catalogue(place, edit, new):
    changed = edited(place, edit, new)
    assert is_accepted(changed) == REFERENCE.is_valid(changed)


@given(ODD)
def test_both_have_the_same_verdict_on_what_is_no_catalogue_at_all(value):
    assert is_accepted(value) == REFERENCE.is_valid(value)


def test_a_line_break_at_the_end_of_a_name_is_refused_though_python_would_not_see_it():
    assert not is_accepted(edited(("models", 1, "file"), "replace", "a.pth\n"))
    assert not is_accepted(edited(("models", 1, "name"), "replace", "a\n"))


@pytest.mark.parametrize(
    ("place", "edit", "new", "says"),
    [
        (("models", 1, "sha256"), "replace", "abc", r"models\[1\]\.sha256 does not look like"),
        (("models", 2, "size"), "remove", None, r"models\[2\] lacks size"),
        (("models", 0, "size"), "replace", 0, r"models\[0\]\.size is not at least 1"),
        (("models", 0), "replace", 7, r"models\[0\] is no object"),
        (("models", 0, "name"), "add", 1, r"models\[0\] has 'something new', which is not known"),
        (("models", 0, "prompts", 0), "replace", "text", r"models\[0\]\.prompts\[0\] is none of"),
        (("models", 0, "timings", 0, "seconds"), "replace", 0, r"timings\[0\]\.seconds is not abo"),
        (("models",), "replace", [], "models has fewer than 1"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(place, edit, new, says):
    told = list(problems(edited(place, edit, new), RULES))
    assert any(re.search(says, one) for one in told), told


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        (1, {"anyOf": []}),
        ([1], {"items": {"format": "uri"}}),
        ({"a": 1}, {"properties": {"a": {"dependentRequired": {}}}}),
        ({}, {"additionalProperties": {"type": "string"}}),
    ],
)
def test_a_schema_that_asks_for_more_than_is_known_here_is_refused(value, schema):
    with pytest.raises(ValueError, match="not known here"):
        list(problems(value, schema))
