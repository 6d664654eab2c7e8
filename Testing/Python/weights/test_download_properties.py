"""Whatever a server does, and in whatever order, nothing wrong is believed and little is lost."""

import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from SAMSegmentLib.core.errors import InstallError
from TestSupport.downloading import Fetch, plain_network
from TestSupport.properties import examples
from TestSupport.weights_server import (
    WeightsServer,
    chunked,
    cut_after,
    flipped,
    honest,
    login_page,
    no_ranges,
    nothing,
    other_content,
    redirect,
    reset_at_once,
    said,
    status,
    without_length,
)

CONTENT = bytes(range(251)) * 20
SIZE = len(CONTENT)
PLACES = st.integers(0, SIZE - 1)


@pytest.fixture(scope="module", autouse=True)
def network():
    with pytest.MonkeyPatch.context() as monkeypatch:
        plain_network(monkeypatch)
        yield


# Each breaks off or refuses, but what it sends is right.
TRUE = st.one_of(
    PLACES.map(cut_after),
    PLACES.map(lambda place: cut_after(place, ranges=False)),
    PLACES.map(without_length),
    PLACES.map(chunked),
    st.sampled_from(
        [
            no_ranges,
            nothing,
            reset_at_once,
            status(503),
            status(416),
            status(416, f"Content-Range: bytes */{SIZE}"),
            status(404),
            login_page,
            redirect("/elsewhere"),
        ]
    ),
)
# Each may send something wrong.
UNTRUE = st.one_of(
    PLACES.map(flipped),
    PLACES.map(lambda place: other_content(lambda c: c[place:] + c[:place])),
    PLACES.map(lambda place: other_content(lambda c: c[place:] + c[:place], ranges=False)),
    PLACES.map(lambda n: said(data=bytes(n))),
    PLACES.map(lambda n: said(f"Content-Length: {SIZE}", data=bytes(n))),
    PLACES.map(lambda n: said(f"Content-Range: bytes {n}-{SIZE - 1}/{SIZE}", code=206)),
    PLACES.map(lambda n: status(416, f"Content-Range: bytes */{n}")),
)
TRUE_BEGINNINGS = st.one_of(st.just(b""), PLACES.map(lambda n: CONTENT[:n]), st.just(CONTENT))
BEGINNINGS = TRUE_BEGINNINGS | st.binary(max_size=2 * SIZE)
# What a server does once its script is over; of the last two, nothing comes any more.
ENDS = st.sampled_from([honest, nothing, status(500)])


@contextmanager
def downloaded(beginning, *servers):
    """A download from servers, each a script and what it does afterwards; is it done?

    It can always be done later, by an honest server.
    """
    with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        fetch = Fetch(Path(folder), CONTENT)
        if beginning:
            fetch.partial.write_bytes(beginning)
        started = [running.enter_context(WeightsServer(CONTENT, *reported)) for reported in servers]
        try:
            fetch.run(*(server.url for server in started))
            event("done")
        except InstallError:
            event("failed")
        yield fetch
        with WeightsServer(CONTENT) as server:
            fetch.run(server.url)


@settings(max_examples=examples(30))
@given(st.lists(TRUE, max_size=6), ENDS, TRUE_BEGINNINGS)
def test_true_bytes_stay_whatever_happens(script, end, beginning):
    with downloaded(beginning, (script, end)) as fetch:
        assert fetch.is_true_beginning
        assert len(fetch.kept) >= len(beginning)


@settings(max_examples=examples(30))
@given(st.lists(TRUE | UNTRUE, max_size=6), ENDS, st.lists(TRUE | UNTRUE, max_size=3), BEGINNINGS)
def test_wrong_bytes_are_never_in_the_way_of_the_right_ones(script, end, other, beginning):
    with downloaded(beginning, (script, end), (other, status(404))):
        # That what was done is right, and can be done afterwards, is checked there.
        pass
