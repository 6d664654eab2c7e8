"""Reports of a download say how far it is, how fast, and how long it still takes."""

from dataclasses import replace

import pytest

from SAMSegmentLib.weights import progress as progress_module
from SAMSegmentLib.weights.progress import WINDOW_S, ProgressReporter, Speed
from TestSupport.downloading import CONTENT, QUICK, Fetch, plain_network
from TestSupport.weights_server import WeightsServer, cut_after, status

SIZE = len(CONTENT)


@pytest.fixture
def fetch(tmp_path, monkeypatch):
    plain_network(monkeypatch)
    return Fetch(tmp_path)


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    made = Clock()

    def sleep(seconds):
        made.now += seconds

    monkeypatch.setattr(progress_module.time, "sleep", sleep)
    return made


class TestADownload:
    def test_tells_its_parts_in_their_order(self, fetch, monkeypatch):
        monkeypatch.setattr(progress_module, "INTERVAL_S", 0.0)
        with WeightsServer(CONTENT, [cut_after(5000), status(503)]) as server:
            fetch.run(server.url)
        messages = [transfer.message for transfer in fetch.reported]
        changes = [b for a, b in zip(["", *messages], messages, strict=False) if a != b]
        downloading = f"Downloading from {server.host}"
        waiting = f"Waiting for {server.host}"
        assert changes == [downloading, waiting, downloading, waiting, downloading, "Checking"]

    def test_tells_bytes_that_only_grow_up_to_all(self, fetch, monkeypatch):
        monkeypatch.setattr(progress_module, "INTERVAL_S", 0.0)
        with WeightsServer(CONTENT, [cut_after(5000)]) as server:
            fetch.run(server.url)
        for message in (f"Downloading from {server.host}", "Checking"):
            done = [transfer.done for transfer in fetch.reported if transfer.message == message]
            assert done == sorted(done)
            assert done[-1] == SIZE
        assert {transfer.total for transfer in fetch.reported} == {SIZE}

    def test_tells_the_true_size_once_the_server_has_said_it(self, fetch, monkeypatch):
        monkeypatch.setattr(progress_module, "INTERVAL_S", 0.0)
        with WeightsServer(CONTENT) as server:
            fetch.run(server.url, size=290_000)
        assert fetch.reported[0].total == 290_000
        assert {transfer.total for transfer in fetch.reported[1:]} == {SIZE}

    def test_asks_for_no_more_than_a_mebibyte_at_a_time(self, tmp_path, monkeypatch):
        plain_network(monkeypatch)
        content = bytes(5 << 20)
        blocks = []
        fetch = Fetch(tmp_path, content)
        monkeypatch.setattr(
            "SAMSegmentLib.weights.files.PartialFileWriter.write_at",
            _listening(blocks),
        )
        with WeightsServer(content) as server:
            fetch.run(server.url)
        assert sum(blocks) == len(content)
        assert max(blocks) <= 1 << 20

    @pytest.mark.parametrize(
        ("asked", "waited"), [("0", None), ("1", 0.4), ("999999999", 0.4), ("soon", 0.3)]
    )
    def test_waits_as_a_server_asks_but_not_longer_than_is_bearable(self, fetch, asked, waited):
        policy = replace(QUICK, longest_wait_s=0.4, pauses_s=(0.3,))
        with WeightsServer(CONTENT, [status(503, f"Retry-After: {asked}")]) as server:
            fetch.run(server.url, policy=policy)
        waits = [t.seconds_left for t in fetch.reported if t.message.startswith("Waiting")]
        assert waits[:1] == ([] if waited is None else [waited])


def _listening(blocks):
    from SAMSegmentLib.weights.files import PartialFileWriter

    write_at = PartialFileWriter.write_at

    def write_and_note(self, position, block):
        blocks.append(len(block))
        write_at(self, position, block)

    return write_and_note


class TestASpeed:
    def test_is_not_known_at_first(self):
        speed = Speed()
        assert speed.update(10.0, 0) is None
        assert speed.update(10.4, 1000) is None

    def test_is_bytes_by_seconds(self):
        speed = Speed()
        speed.update(10.0, 0)
        assert speed.update(12.0, 3000) == 1500

    def test_forgets_what_was_long_ago(self):
        speed = Speed()
        received = 0
        for tenth in range(200):
            received += 1000 if tenth < 100 else 10
            reported = speed.update(tenth / 10, received)
        assert reported == pytest.approx(100)

    def test_is_nothing_when_nothing_has_come_for_a_while(self):
        speed = Speed()
        speed.update(0.0, 0)
        speed.update(1.0, 5000)
        speed.update(1.0 + WINDOW_S, 5000)
        assert speed.update(1.1 + 2 * WINDOW_S, 5000) == 0


class TestTelling:
    def test_does_not_count_what_was_there_before(self, clock):
        reported = []
        telling = ProgressReporter(reported.append, clock)
        telling.begin("Downloading", 900_000, 1_000_000)
        clock.now += 2
        telling.step(20_000, 920_000, 1_000_000)
        assert reported[-1].bytes_per_s == 10_000
        assert reported[-1].seconds_left == 8

    def test_tells_ten_times_a_second(self, clock):
        reported = []
        telling = ProgressReporter(reported.append, clock)
        telling.begin("Copying", 0, 1000)
        for n in range(1000):
            clock.now += 0.001
            telling.step(1, n + 1, 1000)
        assert 9 <= len(reported) <= 11

    def test_begins_its_speed_anew_with_each_part_of_the_work(self, clock):
        reported = []
        telling = ProgressReporter(reported.append, clock)
        telling.begin("Downloading", 0, 1000)
        clock.now += 1
        telling.begin("Checking", 0, 1000)
        assert reported[-1].bytes_per_s is None
        clock.now += 1
        telling.step(500, 500, 1000)
        assert reported[-1].bytes_per_s == 500

    def test_counts_a_wait_down(self, clock):
        reported = []
        telling = ProgressReporter(reported.append, clock)
        telling.wait("Waiting", 2.0, 10, 1000)
        assert clock.now == pytest.approx(102.0)
        left = [transfer.seconds_left for transfer in reported]
        assert left == sorted(left, reverse=True)
        assert len(left) == pytest.approx(20, abs=2)

    def test_knows_no_time_left_when_nothing_comes(self, clock):
        reported = []
        telling = ProgressReporter(reported.append, clock)
        telling.begin("Downloading", 0, 1000)
        clock.now += 1
        telling.step(0, 0, 1000)
        assert (reported[-1].bytes_per_s, reported[-1].seconds_left) == (0, None)
