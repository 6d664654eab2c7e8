"""What a server's answer means, in all its forms."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from SAMSegmentLib.weights.fetching import (
    Body,
    NoPart,
    RetryableError,
    ServerError,
    megabytes,
    read_answer,
    retry_after_s,
)

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
SIZE = 1000


def test_a_length_is_believed_if_it_is_near_the_expected_one():
    assert read_answer(200, {"Content-Length": "1003"}, 0, SIZE) == Body(0, 1003, 1003)


@pytest.mark.parametrize("length", ["", "-5", "1e3", "0x3e8", "１０００", "9" * 5000, "1000, 1000"])
def test_a_length_that_is_no_number_is_none(length):
    assert read_answer(200, {"Content-Length": length}, 0, SIZE) == Body(0, None, None)


def test_a_length_besides_chunks_is_none():
    headers = {"Content-Length": "5", "Transfer-Encoding": "chunked"}
    assert read_answer(200, headers, 0, SIZE) == Body(0, None, None)


@pytest.mark.parametrize(
    ("length", "is_right"), [(499, False), (500, True), (1250, True), (1251, False)]
)
def test_another_file_is_told_by_its_length(length, is_right):
    headers = {"Content-Length": str(length)}
    if is_right:
        assert read_answer(200, headers, 0, SIZE).total == length
    else:
        with pytest.raises(ServerError, match="another file"):
            read_answer(200, headers, 0, SIZE)


def test_a_part_has_a_place_in_the_file():
    headers = {"Content-Range": "bytes 300-999/1000"}
    assert read_answer(206, headers, 300, SIZE) == Body(300, 1000, 1000)
    assert read_answer(206, headers, 299, SIZE) == NoPart()


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        (" 0 ", 0),
        ("Thu, 01 Jan 2026 12:00:30 GMT", 30),
        ("Thu, 01 Jan 2026 12:00:30 -0000", 30),
        ("Thu, 01 Jan 2026 13:00:30 +0100", 30),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0),
        ("-7", None),
        ("soon", None),
        ("", None),
        (None, None),
        ("Thu, 99 Jan 2026 12:00:30 GMT", None),
        ("9" * 5000, None),
    ],
)
def test_how_long_to_wait_is_a_number_or_a_date(value, seconds):
    assert retry_after_s(value, NOW) == seconds


def test_a_busy_server_says_how_long_to_wait():
    with pytest.raises(RetryableError) as raised:
        read_answer(503, {"Retry-After": "7"}, 0, SIZE)
    assert raised.value.wait_s == 7


@given(
    status=st.integers(100, 599),
    offset=st.sampled_from([0, 5, 999, 1000]),
    headers=st.dictionaries(
        st.sampled_from(
            [
                "Content-Length",
                "Content-Range",
                "Content-Type",
                "Content-Encoding",
                "Transfer-Encoding",
                "Retry-After",
            ]
        ),
        st.text(st.characters(max_codepoint=255), max_size=30)
        | st.from_regex(r"bytes [0-9]{1,4}-[0-9]{1,4}/([0-9]{1,4}|\*)", fullmatch=True)
        | st.from_regex(r"bytes \*/[0-9]{1,4}", fullmatch=True)
        | st.from_regex(r"[0-9]{1,4}", fullmatch=True)
        | st.sampled_from(["text/html", "gzip", "identity", "chunked"]),
    ),
)
def test_no_answer_is_beyond_us_and_what_is_taken_fits_the_question(status, offset, headers):
    try:
        answer = read_answer(status, CaseInsensitiveDict(headers), offset, SIZE, NOW)
    except (ServerError, RetryableError):
        return
    if isinstance(answer, NoPart):
        assert offset > 0
        return
    assert status in (200, 206)
    assert answer.start == (offset if status == 206 else 0)
    if answer.end is not None:
        assert answer.start <= answer.end
    if answer.total is not None:
        assert SIZE / 2 <= answer.total <= 1.25 * SIZE
        assert answer.end <= answer.total


@pytest.mark.parametrize(
    ("count", "text"),
    [(402_000_000, "402 MB"), (19_868_176, "19.9 MB"), (400_000, "0.4 MB"), (1000, "0.001 MB")],
)
def test_sizes_are_told_in_megabytes(count, text):
    assert megabytes(count) == text
