"""What the web does to a download, it ends with the right bytes or with a reason."""

from dataclasses import replace

import pytest

from SAMSegmentLib.core.errors import InstallError
from TestSupport.downloading import CONTENT, HASTY, QUICK, Fetch, plain_network
from TestSupport.weights_server import (
    WeightsServer,
    chunked,
    cut_after,
    endless,
    endless_chunks,
    flipped,
    login_page,
    nothing,
    other_content,
    raw,
    redirect,
    reset_at_once,
    reset_in_headers,
    said,
    silence,
    slow,
    stall_after,
    status,
    without_length,
    zipped,
)

SIZE = len(CONTENT)


@pytest.fixture
def fetch(tmp_path, monkeypatch):
    plain_network(monkeypatch)
    return Fetch(tmp_path)


def test_a_whole_file_needs_one_request(fetch):
    with WeightsServer(CONTENT) as server:
        fetch.run(server.url)
    assert server.offsets == [None]
    assert server.sent == SIZE


# What happens once, and from which byte on is asked afterwards.
PASSING = {
    "the connection ends early": (cut_after(10_000), 10_000),
    "it ends before the first byte of the body": (cut_after(0), None),
    "it ends before the last byte": (cut_after(SIZE - 1), SIZE - 1),
    "it breaks before the answer": (reset_at_once, None),
    "it breaks amid the headers": (reset_in_headers, None),
    "it ends without an answer": (nothing, None),
    "garbage comes instead of HTTP": (raw(b"\x16\x03\x01 what?\r\n\r\n" * 9), None),
    "a header is endless": (raw(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000), None),
    "the chunks break off": (chunked(5000), 5000),
    "a chunk has no length": (
        raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz"),
        None,
    ),
    "it ends early and no length was said": (without_length(5000), 5000),
    "the server is busy": (status(503), None),
    "the server fails": (status(500), None),
    "the server fails for a part": (status(502), None),
    "the server has had too many requests": (status(429, "Retry-After: 1"), None),
    "it is busy until a date": (status(503, "Retry-After: Wed, 21 Oct 2015 07:28:00 GMT"), None),
    "it is busy for nonsense": (status(503, "Retry-After: soon"), None),
    "it is busy for years": (status(503, "Retry-After: 999999999"), None),
    "more is announced than comes": (said(f"Content-Length: {SIZE + 100}"), SIZE),
}


@pytest.mark.parametrize("fault", PASSING)
def test_what_passes_is_waited_for_and_only_the_rest_is_asked_for(fetch, fault):
    answer, offset = PASSING[fault]
    with WeightsServer(CONTENT, [answer]) as server:
        fetch.run(server.url)
    assert server.offsets == [None, offset]


def test_what_came_before_a_connection_broke_is_kept(fetch):
    with WeightsServer(CONTENT, [cut_after(10_000, hard=True)]) as server:
        fetch.run(server.url)
    # What was on its way is lost with the connection.
    assert (server.offsets[1] or 0) in range(10_001)
    assert server.sent == 10_000 + SIZE - (server.offsets[1] or 0)


# What stalls, and from which byte on is asked afterwards.
STALLS = {"headers": (silence, None), "body": (stall_after(5000), 5000)}


@pytest.mark.parametrize("where", STALLS)
def test_who_stalls_is_left_and_asked_again(fetch, where):
    answer, offset = STALLS[where]
    with WeightsServer(CONTENT, [answer]) as server:
        fetch.run(server.url, policy=replace(QUICK, read_s=1.0))
    assert server.offsets == [None, offset]


UNUSUAL = {
    "late": slow(start_s=0.3),
    "dripping": slow(drip_s=0.02, drip_bytes=30_000),
    "in chunks": chunked(),
    "in tiny chunks": chunked(size=40),
    "without a length": without_length(),
    "with a length that is no number": said("Content-Length: nonsense"),
    "in no coded form": said(f"Content-Length: {SIZE}", "Content-Encoding: identity"),
}


@pytest.mark.parametrize("way", UNUSUAL)
def test_an_unusual_but_whole_answer_is_enough(fetch, way):
    with WeightsServer(CONTENT, [UNUSUAL[way]]) as server:
        fetch.run(server.url)
    assert server.offsets == [None]


# What does not pass, and what the user reads about it.
FINAL = {
    "not there": (status(404), "does not have the file (HTTP status 404)"),
    "gone": (status(410), "does not have the file (HTTP status 410)"),
    "not for us": (status(403), "refuses to give the file (HTTP status 403)"),
    "behind a password": (status(401), "refuses to give the file (HTTP status 401)"),
    "proxy with a password": (status(407), "the proxy asks for a name and a password"),
    "odd request": (status(400), "gives no file (HTTP status 400)"),
    "legal reasons": (status(451), "gives no file (HTTP status 451)"),
    "no content": (said(code=204, data=b""), "gives no file (HTTP status 204)"),
    "not changed": (said(code=304, data=b""), "gives no file (HTTP status 304)"),
    "a range nobody asked for": (status(416), "gives no file (HTTP status 416)"),
    "a part nobody asked for": (
        said(f"Content-Range: bytes 5-{SIZE - 1}/{SIZE}", code=206),
        "sends another part",
    ),
    "log in, by status": (status(511), "want you to log in first"),
    "log in, by a page": (login_page, "sends a web page instead of the file"),
    "a coded form": (zipped, "sends the file in a coded form"),
    "empty": (said("Content-Length: 0", data=b""), "offers another file, of 0 MB instead of"),
    "far too short": (other_content(lambda c: c[: SIZE // 3]), "offers another file"),
    "far too long": (other_content(lambda c: c * 2), "offers another file"),
    "endless": (endless, "sends more than the file can hold"),
    "endless chunks": (endless_chunks, "sends more than the file can hold"),
    "other bytes": (other_content(lambda c: bytes(SIZE)), "another SHA-256"),
    "a wrong bit": (flipped(SIZE // 2), "another SHA-256"),
    "some bytes less": (other_content(lambda c: c[:-3]), "another SHA-256"),
    "some bytes more": (other_content(lambda c: c + b"123"), "another SHA-256"),
    "to a file": (redirect("file:///etc/passwd"), "neither http nor https"),
    "to another protocol": (redirect("ftp://127.0.0.1/x"), "neither http nor https"),
    "to nonsense": (redirect("http://[::1"), "sends on to an address that cannot be read"),
}


@pytest.mark.parametrize("fault", FINAL)
def test_what_does_not_pass_is_asked_once_and_then_the_next_place(fetch, fault):
    answer, reason = FINAL[fault]
    with WeightsServer(CONTENT, otherwise=answer) as bad, WeightsServer(CONTENT) as good:
        with pytest.raises(InstallError) as raised:
            fetch.run(bad.url)
        assert f"{bad.host} " in str(raised.value)
        assert reason in str(raised.value)
        assert not fetch.partial.exists()
        assert len(bad.requests) == 1
        fetch.run(bad.url, good.url)
    assert len(bad.requests) == 2
    assert good.offsets == [None]


# What does not pass either, but might have.
LASTING = {
    "busy": (status(503), "too busy or out of order (HTTP status 503)"),
    "failing": (status(500), "out of order (HTTP status 500)"),
    "breaking": (reset_at_once, "broke the connection"),
    "silent": (silence, "does not answer"),
    "ending": (nothing, "broke the connection"),
    "garbage": (raw(b"no web\r\n\r\n"), "broke the connection"),
    "ending early": (cut_after(0), "broke the connection"),
}


@pytest.mark.parametrize("fault", LASTING)
def test_what_lasts_is_tried_some_times_and_then_the_next_place(fetch, fault):
    answer, reason = LASTING[fault]
    with WeightsServer(CONTENT, otherwise=answer) as bad, WeightsServer(CONTENT) as good:
        with pytest.raises(InstallError, match="Try again later") as raised:
            fetch.run(bad.url, policy=HASTY)
        assert reason in str(raised.value)
        fetch.run(bad.url, good.url, policy=HASTY)
    assert len(bad.requests) == 2 * HASTY.tries
    assert good.offsets[0] is None


def test_progress_gives_a_place_all_its_tries_again(fetch):
    busy = [status(503)] * (QUICK.tries - 1)
    script = [*busy, cut_after(1000), *busy, cut_after(1), *busy]
    with WeightsServer(CONTENT, script) as server:
        fetch.run(server.url)
    assert server.offsets == [None, None, None, 1000, 1000, 1000, 1001, 1001, 1001]


def test_a_place_that_always_breaks_at_the_same_byte_is_left(fetch):
    stuck = cut_after(7000, ranges=False)
    with WeightsServer(CONTENT, otherwise=stuck) as bad, WeightsServer(CONTENT) as good:
        fetch.run(bad.url, good.url)
    # The first try is progress.
    assert bad.offsets == [None] + [7000] * QUICK.tries
    assert good.offsets == [7000]


def test_what_one_place_gave_is_not_asked_of_the_next(fetch):
    with (
        WeightsServer(CONTENT, [cut_after(9000)], otherwise=status(404)) as first,
        WeightsServer(CONTENT) as second,
    ):
        fetch.run(first.url, second.url)
    assert first.offsets == [None, 9000]
    assert second.offsets == [9000]
    assert second.sent == SIZE - 9000


def test_every_place_that_failed_is_told_with_its_reason(fetch):
    with (
        WeightsServer(CONTENT, [cut_after(200_000)], otherwise=status(404)) as first,
        WeightsServer(CONTENT, otherwise=status(403)) as second,
        pytest.raises(InstallError) as raised,
    ):
        fetch.run(first.url, second.url)
    assert str(raised.value) == (
        f"weights.pth could not be downloaded. {first.host} does not have the file (HTTP status "
        f"404). {second.host} refuses to give the file (HTTP status 403). Try again later: the "
        "0.2 MB that were fetched are kept; if this network needs a proxy, set the environment "
        "variable HTTPS_PROXY; or get the file on another computer and install it from there."
    )
    assert fetch.kept == CONTENT[:200_000]


def test_a_computer_that_is_not_there_is_told(fetch):
    with WeightsServer(CONTENT) as server:
        pass
    with pytest.raises(InstallError, match="refuses the connection"):
        fetch.run(server.url)


def test_no_place_at_all_is_told(fetch):
    with pytest.raises(InstallError, match="No place is known to get it from"):
        fetch.run()


@pytest.mark.parametrize("place", ["ftp://127.0.0.1/x", "file:///etc/passwd", "x", "http://[::1"])
def test_an_address_that_is_none_of_the_web_is_refused(fetch, place):
    with pytest.raises(InstallError, match=r"could not be downloaded\."):
        fetch.run(place)
    assert not fetch.partial.exists()
