"""What panels know of models: what is installed, what is under way, how it ended."""

import pytest

from SAMSegmentLib.core.errors import InstallError, WeightsError
from SAMSegmentLib.weights import installed
from SAMSegmentLib.weights.transfer import Transfer
from SAMSegmentLib.worker.model_jobs import JobFailed
from SAMSegmentLib.worker.model_messages import InstallModel, ModelDone, VerifyModel
from TestSupport.played_job import PlayedJobs
from TestSupport.small_model import CONTENT, small_model

TURBO = small_model(file="small.pth")
INT8 = small_model(file="small.pth", name="sam-med3d-turbo-int8", title="SAM-Med3D int8")
OTHER = small_model(b"others", file="other.pth", name="sam-med3d-cvpr-coreset")
BOTH = (TURBO.name, INT8.name)

# Not marked mrml: nothing here depends on the line of slicer-core.


class Desk:
    """A store, and what it tells.

    Attributes:
        changes: names of models whose files changed, one tuple for each time.
        progress: how often something was further.
    """

    def __init__(self, application, folder) -> None:
        from SAMSegmentLib.ui.model_store import ModelStore

        self.application, self.folder = application, folder
        self.jobs, self.worker_ends = PlayedJobs(), 0
        self.changes, self.progress = [], 0
        self.store = ModelStore(self._end_worker, self.jobs)
        self.store.add(self)

    def on_model_progress(self) -> None:
        self.progress += 1

    def on_models_changed(self, names) -> None:
        self.changes.append(names)

    def _end_worker(self) -> None:
        assert TURBO.path.exists() or OTHER.path.exists()  # nothing is removed before
        self.worker_ends += 1

    def happens(self, *events) -> None:
        self.jobs.play(self.application, *events)

    def put(self, path=None, content=CONTENT) -> None:
        self.folder.mkdir(exist_ok=True)
        (path or TURBO.path).write_bytes(content)

    def kind(self, entry=TURBO) -> str:
        return self.store.state(entry).kind

    def said(self, entry=TURBO):
        message = self.store.message(entry)
        return message and (message.text, message.kind)


@pytest.fixture
def desk(application, monkeypatch, tmp_path):
    from SAMSegmentLib.weights.catalogue import catalogue

    monkeypatch.setenv("SAMSEGMENT_MODELS", str(tmp_path / "models"))
    for entry in (TURBO, INT8, OTHER):
        monkeypatch.setitem(catalogue(), entry.name, entry)
    desk = Desk(application, tmp_path / "models")
    yield desk
    desk.store.close()
    assert application.errors == []


def test_nothing_happens_until_somebody_asks(desk):
    assert desk.kind() == "missing" and desk.store.under_way is None
    assert desk.jobs.all == [] and desk.changes == [] and not desk.folder.exists()


def test_an_installation_is_followed_to_its_end(desk):
    desk.store.install(TURBO.name)
    job = desk.jobs.all[0]
    assert job.order == InstallModel(TURBO) and job.is_running
    assert desk.store.work_on(INT8).entry is TURBO and desk.store.work_on(OTHER) is None
    desk.happens(Transfer("Downloading", 1, 10), Transfer("Downloading", 5, 10))
    assert desk.store.under_way.look.done == 5 and desk.progress == 1
    assert desk.changes == [()]
    desk.put()
    desk.happens(ModelDone(str(TURBO.path)))
    assert desk.store.under_way is None and not job.is_running
    assert desk.kind() == desk.kind(INT8) == "installed"
    assert desk.said() == ("Installed.", "good") and desk.changes[-1] == BOTH


def test_notes_of_an_installation_reach_the_user(desk):
    desk.store.install(TURBO.name)
    desk.happens(ModelDone(str(TURBO.path), ("They will be converted later.",)))
    assert desk.said() == ("They will be converted later.", "hint")


def test_a_failure_is_told_until_the_next_try(desk, caplog):
    desk.store.install(TURBO.name)
    desk.happens(JobFailed(InstallError("There is no network.")))
    assert desk.store.under_way is None and "no network" in caplog.text
    assert desk.said(INT8) == ("There is no network.", "error") and desk.changes[-1] == ()
    desk.store.install(TURBO.name)
    assert desk.said() is None


def test_one_thing_at_a_time(desk, tmp_path):
    desk.put(OTHER.path)
    desk.store.install(TURBO.name)
    desk.store.install(OTHER.name)
    desk.store.verify(OTHER.name)
    desk.store.remove(OTHER.name)
    assert len(desk.jobs.all) == 1 and desk.worker_ends == 0 and OTHER.path.exists()


def test_a_file_that_is_not_there_is_told_without_any_work(desk, tmp_path):
    desk.store.install(TURBO.name, str(tmp_path / "nothing"))
    assert desk.jobs.all == [] and "does not exist" in desk.said()[0]
    assert desk.said()[1] == "error"
    (tmp_path / "something").write_bytes(b"")
    desk.store.install(TURBO.name, str(tmp_path / "something"))
    assert desk.jobs.all[0].order == InstallModel(TURBO, str(tmp_path / "something"))


def test_cancelling_keeps_what_was_downloaded_and_says_so(desk):
    desk.store.install(TURBO.name)
    desk.put(installed.partial_path(TURBO), CONTENT[:100])
    desk.store.cancel()
    assert not desk.jobs.all[0].is_running and desk.store.under_way is None
    state = desk.store.state(TURBO)
    assert (state.kind, state.partial) == ("partly", 100)
    assert desk.said() == ("Cancelled. Download carries on from there.", "hint")
    desk.store.cancel()  # nothing is under way
    assert len(desk.changes) == 2


def test_cancelling_without_anything_downloaded_promises_nothing(desk):
    desk.store.install(TURBO.name)
    desk.store.cancel()
    assert desk.said() == ("Cancelled.", "hint") and desk.kind() == "missing"


def test_damage_is_remembered_for_the_file_in_which_it_was_found(desk):
    desk.put()
    assert desk.kind() == "installed"
    desk.store.verify(TURBO.name)
    assert desk.jobs.all[0].order == VerifyModel(TURBO)
    desk.happens(JobFailed(WeightsError("They are damaged.")))
    assert desk.kind() == desk.kind(INT8) == "damaged"
    desk.put(content=b"another file")
    assert desk.kind() == "installed"
    desk.store.verify(TURBO.name)
    desk.happens(ModelDone(str(TURBO.path)))
    assert desk.kind() == "installed" and desk.said()[1] == "good"


def test_damage_that_the_worker_finds_is_remembered_and_told_once(desk):
    desk.put()
    desk.store.mark_damaged(TURBO)
    desk.store.mark_damaged(TURBO)
    assert desk.kind() == "damaged" and desk.changes == [()]


def test_what_is_no_plain_file_is_damaged_and_the_reason_is_known(desk):
    TURBO.path.mkdir(parents=True)
    state = desk.store.state(TURBO)
    assert state.kind == "damaged" and "is a folder" in state.reason


def test_removing_ends_the_worker_first_and_tells_all_who_share_the_file(desk):
    desk.put()
    desk.store.remove(TURBO.name)
    assert desk.worker_ends == 1 and desk.kind() == "missing" and not TURBO.path.exists()
    assert desk.said() == ("Removed.", "hint") and desk.changes[-1] == BOTH


def test_what_cannot_be_removed_is_told(desk, monkeypatch):
    desk.put()

    def refuse(entry):
        raise InstallError("They are in use.")

    monkeypatch.setattr("SAMSegmentLib.weights.install.remove", refuse)
    desk.store.remove(TURBO.name)
    assert desk.said() == ("They are in use.", "error") and desk.kind() == "installed"


def test_another_folder_holds_other_models(desk, monkeypatch, tmp_path):
    monkeypatch.delenv("SAMSEGMENT_MODELS")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    desk.store.use_folder(str(tmp_path / "there"))
    assert set(desk.changes[-1]) == {TURBO.name, INT8.name, OTHER.name}
    assert TURBO.path == tmp_path / "there" / "small.pth"
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InstallError):
        desk.store.use_folder(str(tmp_path / "file"))
    assert TURBO.path.parent == tmp_path / "there" and len(desk.changes) == 1


def test_who_does_not_listen_any_more_is_not_told(desk):
    desk.store.drop(desk)
    desk.store.install(TURBO.name)
    assert desk.changes == []


def test_a_listener_that_fails_keeps_nobody_from_hearing(desk, caplog):
    class Gone:
        def on_models_changed(self, names):
            raise RuntimeError("a panel that is gone")

    desk.store.drop(desk)
    desk.store.add(Gone())
    desk.store.add(desk)
    desk.store.install(TURBO.name)
    assert desk.changes == [()] and "could not show its models" in caplog.text


def test_slicers_end_ends_what_is_under_way(application, monkeypatch):
    from SAMSegmentLib.ui import model_store

    store, jobs = model_store.shared_model_store(), PlayedJobs()
    assert model_store.shared_model_store() is store
    monkeypatch.setattr(store, "_make_job", jobs)
    store.install("sam-med3d-turbo")
    application.qt_application.aboutToQuit.emit()
    assert not jobs.all[0].is_running and store.under_way is None
    assert model_store._shared is None
