"""A download goes on where it ended, whatever the server makes of that."""

import itertools

import pytest

from SAMSegmentLib.core.errors import Cancelled, InstallError
from SAMSegmentLib.weights import download as download_module
from TestSupport.downloading import CONTENT, Fetch, plain_network
from TestSupport.weights_server import (
    WeightsServer,
    cut_after,
    cut_at,
    endless,
    flipped,
    no_ranges,
    said,
    status,
)

SIZE = len(CONTENT)
HALF = 10_000


@pytest.fixture
def fetch(tmp_path, monkeypatch):
    plain_network(monkeypatch)
    return Fetch(tmp_path)


def part(text: str, data: bytes = CONTENT[HALF:]):
    return said(f"Content-Range: {text}", f"Content-Length: {len(data)}", code=206, data=data)


# How a server may answer to a request for a part, and what it is asked for then.
ANSWERS = {
    "with the part": (None, [HALF]),
    "with all": (no_ranges, [HALF]),
    "with another part": (part(f"bytes 5-{SIZE - 1}/{SIZE}", CONTENT[5:]), [HALF, None]),
    "with an earlier part": (part(f"bytes 0-{SIZE - 1}/{SIZE}", CONTENT), [HALF, None]),
    "with a part that it does not name": (said(code=206, data=CONTENT[HALF:]), [HALF, None]),
    "with a part in other units": (part(f"lines {HALF}-{SIZE - 1}/{SIZE}"), [HALF, None]),
    "with a part that ends before it starts": (part(f"bytes {HALF}-5/{SIZE}"), [HALF, None]),
    "with a part beyond the end": (part(f"bytes {HALF}-{SIZE - 1}/{SIZE - 9}"), [HALF, None]),
    "with a part of a longer file": (part(f"bytes {HALF}-{SIZE - 1}/{SIZE + 9}"), [HALF, SIZE]),
    "with a part of a file it does not know": (part(f"bytes {HALF}-{SIZE - 1}/*"), [HALF]),
    "with a shorter part": (
        part(f"bytes {HALF}-{HALF + 99}/{SIZE}", CONTENT[HALF : HALF + 100]),
        [HALF, HALF + 100],
    ),
    "that there is no such part": (
        status(416, f"Content-Range: bytes */{HALF // 2}"),
        [HALF, None],
    ),
    "that there is no part at all": (status(416), [HALF, None]),
    "that it is no such part, in nonsense": (status(416, "Content-Range: hello"), [HALF, None]),
    "that it is busy": (status(503), [HALF, HALF]),
}


@pytest.mark.parametrize("way", ANSWERS)
def test_the_rest_is_fetched_however_the_server_answers(fetch, way):
    answer, offsets = ANSWERS[way]
    fetch.partial.write_bytes(CONTENT[:HALF])
    with WeightsServer(CONTENT, [answer] if answer else []) as server:
        fetch.run(server.url)
    assert server.offsets == offsets


def test_only_the_rest_is_sent(fetch):
    fetch.partial.write_bytes(CONTENT[:HALF])
    with WeightsServer(CONTENT) as server:
        fetch.run(server.url)
    assert server.sent == SIZE - HALF


def test_a_file_that_was_whole_already_needs_no_network(fetch):
    fetch.partial.write_bytes(CONTENT)
    with WeightsServer(CONTENT) as server:
        pass
    fetch.run(server.url)
    assert server.requests == []


def test_a_file_that_proves_whole_is_not_sent_again(fetch):
    fetch.partial.write_bytes(CONTENT)
    with WeightsServer(CONTENT) as server:
        # The catalogue's size is rounded so much that the file seems unfinished.
        fetch.run(server.url, size=int(1.1 * SIZE))
    assert server.offsets == [SIZE]
    assert server.sent == 0


@pytest.mark.parametrize("length", [HALF, SIZE - 1, SIZE], ids=["a part", "nearly all", "all"])
def test_wrong_bytes_from_before_are_given_up_and_all_is_fetched_anew(fetch, length):
    fetch.partial.write_bytes(bytes(length))
    with WeightsServer(CONTENT) as server:
        fetch.run(server.url)
    assert server.offsets == [length, None]


def test_wrong_bytes_from_before_are_overwritten_by_a_server_that_sends_all(fetch):
    fetch.partial.write_bytes(CONTENT[:300] + bytes(HALF))
    with WeightsServer(CONTENT, [no_ranges]) as server:
        fetch.run(server.url)
    assert server.offsets == [HALF + 300]


@pytest.mark.parametrize("more", [5, SIZE, 3 << 20])
def test_what_is_longer_than_the_file_is_given_up(fetch, more):
    fetch.partial.write_bytes(CONTENT + bytes(more))
    with WeightsServer(CONTENT) as server:
        fetch.run(server.url)
    assert server.offsets[-1] is None


def test_a_place_whose_file_stays_wrong_is_left_after_a_second_chance(fetch):
    fetch.partial.write_bytes(CONTENT[:HALF])
    with (
        WeightsServer(CONTENT, otherwise=flipped(SIZE // 2)) as bad,
        WeightsServer(CONTENT) as good,
    ):
        fetch.run(bad.url, good.url)
    assert bad.offsets == [HALF, None]
    assert good.offsets == [None]


def test_a_wrong_file_is_not_kept(fetch):
    fetch.partial.write_bytes(CONTENT[:HALF])
    with (
        WeightsServer(CONTENT, otherwise=flipped(SIZE // 2)) as server,
        pytest.raises(InstallError, match="another SHA-256"),
    ):
        fetch.run(server.url)
    assert not fetch.partial.exists()


@pytest.mark.parametrize(
    "answer",
    [status(404), status(503), cut_after(50, ranges=False), said(data=CONTENT[:50]), endless],
    ids=["not there", "busy", "cut", "cut without a length", "endless"],
)
def test_what_was_fetched_outlives_a_place_that_does_not_help(fetch, answer):
    fetch.partial.write_bytes(CONTENT[:HALF])
    with (
        WeightsServer(CONTENT, otherwise=answer) as server,
        pytest.raises(InstallError, match=r"could not be downloaded\."),
    ):
        fetch.run(server.url)
    if answer is endless:
        # It contradicted what was there, and was believed until it did not end.
        assert not fetch.partial.exists()
    else:
        assert fetch.kept == CONTENT[:HALF]


def test_cancelling_keeps_what_was_fetched(fetch):
    def cancel_at_half(transfer):
        if transfer.done > SIZE // 2:
            raise Cancelled("Cancelled.")

    with WeightsServer(CONTENT, [cut_after(200_000)]) as server:
        with pytest.raises(Cancelled):
            fetch.run(server.url, report=cancel_at_half)
        kept = len(fetch.kept)
        assert 0 < kept < SIZE
        assert fetch.is_true_beginning
        fetch.run(server.url)
    assert server.offsets == [None, kept]


@pytest.mark.parametrize("message", ["Downloading", "Waiting", "Checking"])
def test_every_part_of_the_work_can_be_cancelled(fetch, message):
    def cancel(transfer):
        if transfer.message.startswith(message):
            raise Cancelled("Cancelled.")

    with WeightsServer(CONTENT, [cut_after(HALF)]) as server:
        with pytest.raises(Cancelled):
            fetch.run(server.url, report=cancel)
        assert fetch.is_true_beginning
        fetch.run(server.url)


def test_a_connection_may_break_at_every_byte_of_a_small_file(tmp_path, monkeypatch):
    plain_network(monkeypatch)
    fetch = Fetch(tmp_path, CONTENT[:101])
    with WeightsServer(fetch.content, otherwise=cut_after(1)) as server:
        fetch.run(server.url)
    assert server.offsets == [None, *range(1, 101)]


def test_a_connection_may_break_at_every_byte_where_no_part_can_be_had(tmp_path, monkeypatch):
    plain_network(monkeypatch)
    fetch = Fetch(tmp_path, CONTENT[:61])
    script = [cut_after(count, ranges=False) for count in range(61)]
    with WeightsServer(fetch.content, script, otherwise=no_ranges) as server:
        fetch.run(server.url)
    assert len(server.requests) == 62


def test_a_connection_may_break_around_every_border_of_a_block(fetch, monkeypatch):
    block = 30_000
    monkeypatch.setattr(download_module, "BLOCK_BYTES", block)
    borders = range(block, SIZE, block)
    places = list(itertools.chain(*((place - 1, place, place + 1) for place in borders)))
    with WeightsServer(CONTENT, [cut_at(place) for place in places]) as server:
        fetch.run(server.url)
    assert server.offsets == [None, *places]
