"""Which time point of a sequence a volume shows."""

import pytest
import slicer
from hypothesis import given
from hypothesis import strategies as st

from SAMSegmentLib.core.errors import InputError
from SAMSegmentLib.scene.time_point import TimePoint, time_point_of

pytestmark = pytest.mark.mrml


class Series:
    """A sequence of volumes with a browser, and the volume that shows one of them."""

    def __init__(self, builder, values=("0", "2.5", "5"), name="CT perfusion") -> None:
        self.builder = builder
        # It registers the browser's class, and keeps the volumes up to date.
        self.logic = slicer.vtkSlicerSequencesLogic()
        self.logic.SetMRMLScene(builder.scene)
        self.browser = builder.host.add("vtkMRMLSequenceBrowserNode", "Browser")
        self.sequence = self.add(values, name)
        self.proxy = self.show(self.sequence)

    def add(self, values, name):
        sequence = self.builder.host.add("vtkMRMLSequenceNode", name)
        sequence.SetIndexName("time")
        sequence.SetIndexUnit("s")
        volume = self.builder.volume()
        for value in values:
            sequence.SetDataNodeAtValue(volume, value)
        self.browser.AddSynchronizedSequenceNode(sequence)
        return sequence

    def show(self, sequence):
        """The volume that shows the selected item of a sequence, as Slicer makes it."""
        self.logic.UpdateProxyNodesFromSequences(self.browser)
        return self.browser.GetProxyNode(sequence)


def test_a_volume_of_its_own_has_none(builder):
    assert time_point_of(builder.volume()) is None


def test_a_volume_beside_a_sequence_has_none(builder):
    Series(builder)
    assert time_point_of(builder.volume()) is None


def test_a_deleted_volume_has_none(builder):
    volume = builder.volume()
    builder.scene.RemoveNode(volume)
    assert time_point_of(volume) is None


@pytest.mark.parametrize("item", [0, 1, 2])
def test_it_is_the_one_that_is_shown(builder, item):
    series = Series(builder)
    series.browser.SetSelectedItemNumber(item)
    value = ("0", "2.5", "5")[item]
    expected = TimePoint("CT perfusion", item + 1, 3, value, "time", "s")
    assert time_point_of(series.proxy) == expected


def test_it_is_described_in_words(builder):
    series = Series(builder)
    series.browser.SetSelectedItemNumber(1)
    assert time_point_of(series.proxy).text == "2 of 3 (time 2.5 s) of CT perfusion"


def test_a_second_sequence_of_the_browser_has_the_same_time(builder):
    series = Series(builder)
    mask = series.add(("0", "2.5", "5"), "Registered CT")
    proxy = series.show(mask)
    series.browser.SetSelectedItemNumber(2)
    assert time_point_of(proxy) == TimePoint("Registered CT", 3, 3, "5", "time", "s")


def test_an_empty_sequence_shows_none(builder):
    series = Series(builder)
    series.sequence.RemoveAllDataNodes()
    assert time_point_of(series.proxy) is None


WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)


@given(st.builds(TimePoint, WORDS, st.integers(1, 999), st.integers(1, 999), WORDS, WORDS, WORDS))
def test_a_tag_gives_it_back(time_point):
    tag = time_point.to_tag()
    assert "|" not in tag
    assert TimePoint.from_tag(tag) == time_point


@pytest.mark.parametrize("tag", ["", "{}", "[]", "3", '{"sequence":"a","number":"x"}'])
def test_a_damaged_tag_says_what_to_do(tag):
    with pytest.raises(InputError, match="place the prompts again"):
        TimePoint.from_tag(tag)
