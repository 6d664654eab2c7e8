"""What panels know of models: what is installed, what is under way, how it ended."""

import pytest

from SAMSegmentLib.core.errors import InstallError, WeightsError
from SAMSegmentLib.weights.progress import Transfer
from SAMSegmentLib.worker.client.model_jobs import JobFailed
from SAMSegmentLib.worker.protocol.model_messages import InstallModel, ModelDone, VerifyModel
from TestSupport.fake_model_job import FakeModelJobs
from TestSupport.small_model import CONTENT, small_model

TURBO = small_model(file="small.pth")
INT8 = small_model(file="small.pth", name="sam-med3d-turbo-int8", title="SAM-Med3D int8")
OTHER = small_model(b"others", file="other.pth", name="sam-med3d-cvpr-coreset")
BOTH = (TURBO.name, INT8.name)

# Not marked mrml: nothing here depends on the line of slicer-core.


class User:
    """A store, and the changes that it reports.

    Attributes:
        changes: names of models whose files changed, one tuple for each time.
        progress: how often something was further.
    """

    def __init__(self, application, folder) -> None:
        from SAMSegmentLib.ui.models.model_store import ModelStore

        self.application, self.folder = application, folder
        self.jobs, self.worker_ends = FakeModelJobs(), 0
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
def user(application, monkeypatch, tmp_path):
    from SAMSegmentLib.weights.catalogue import catalogue

    monkeypatch.setenv("SAMSEGMENT_MODELS", str(tmp_path / "models"))
    for entry in (TURBO, INT8, OTHER):
        monkeypatch.setitem(catalogue(), entry.name, entry)
    user = User(application, tmp_path / "models")
    yield user
    user.store.close()
    assert application.errors == []


def test_nothing_happens_until_somebody_asks(user):
    assert user.kind() == "missing" and user.store.running_job is None
    assert user.jobs.all == [] and user.changes == [] and not user.folder.exists()


def test_an_installation_is_followed_to_its_end(user):
    user.store.install(TURBO.name)
    job = user.jobs.all[0]
    assert job.order == InstallModel(TURBO) and job.is_running
    assert user.store.job_on(INT8).entry is TURBO and user.store.job_on(OTHER) is None
    user.happens(Transfer("Downloading", 1, 10), Transfer("Downloading", 5, 10))
    assert user.store.running_job.progress.done == 5 and user.progress == 1
    assert user.changes == [()]
    user.put()
    user.happens(ModelDone(str(TURBO.path)))
    assert user.store.running_job is None and not job.is_running
    assert user.kind() == user.kind(INT8) == "installed"
    assert user.said() == ("Installed.", "good") and user.changes[-1] == BOTH


def test_notes_of_an_installation_reach_the_user(user):
    user.store.install(TURBO.name)
    user.happens(ModelDone(str(TURBO.path), ("They will be converted later.",)))
    assert user.said() == ("They will be converted later.", "hint")


def test_a_failure_is_reported_until_the_next_try(user, caplog):
    user.store.install(TURBO.name)
    user.happens(JobFailed(InstallError("There is no network.")))
    assert user.store.running_job is None and "no network" in caplog.text
    assert user.said(INT8) == ("There is no network.", "error") and user.changes[-1] == ()
    user.store.install(TURBO.name)
    assert user.said() is None


def test_one_thing_at_a_time(user, tmp_path):
    user.put(OTHER.path)
    user.store.install(TURBO.name)
    user.store.install(OTHER.name)
    user.store.verify(OTHER.name)
    user.store.remove(OTHER.name)
    assert len(user.jobs.all) == 1 and user.worker_ends == 0 and OTHER.path.exists()


def test_a_file_that_is_not_there_is_reported_without_any_work(user, tmp_path):
    user.store.install(TURBO.name, str(tmp_path / "nothing"))
    assert user.jobs.all == [] and "does not exist" in user.said()[0]
    assert user.said()[1] == "error"
    (tmp_path / "something").write_bytes(b"")
    user.store.install(TURBO.name, str(tmp_path / "something"))
    assert user.jobs.all[0].order == InstallModel(TURBO, str(tmp_path / "something"))


def test_cancelling_keeps_what_was_downloaded_and_says_so(user):
    user.store.install(TURBO.name)
    user.put(TURBO.files.partial, CONTENT[:100])
    user.store.cancel()
    assert not user.jobs.all[0].is_running and user.store.running_job is None
    state = user.store.state(TURBO)
    assert (state.kind, state.partial) == ("partly", 100)
    assert user.said() == ("Cancelled. Download carries on from there.", "hint")
    user.store.cancel()  # nothing is under way
    assert len(user.changes) == 2


def test_cancelling_without_anything_downloaded_promises_nothing(user):
    user.store.install(TURBO.name)
    user.store.cancel()
    assert user.said() == ("Cancelled.", "hint") and user.kind() == "missing"


def test_damage_is_remembered_for_the_file_in_which_it_was_found(user):
    user.put()
    assert user.kind() == "installed"
    user.store.verify(TURBO.name)
    assert user.jobs.all[0].order == VerifyModel(TURBO)
    user.happens(JobFailed(WeightsError("They are damaged.")))
    assert user.kind() == user.kind(INT8) == "damaged"
    user.put(content=b"another file")
    assert user.kind() == "installed"
    user.store.verify(TURBO.name)
    user.happens(ModelDone(str(TURBO.path)))
    assert user.kind() == "installed" and user.said()[1] == "good"


def test_damage_that_the_worker_finds_is_remembered_and_reported_once(user):
    user.put()
    user.store.mark_damaged(TURBO)
    user.store.mark_damaged(TURBO)
    assert user.kind() == "damaged" and user.changes == [()]


def test_what_is_no_plain_file_is_damaged_and_the_reason_is_known(user):
    TURBO.path.mkdir(parents=True)
    state = user.store.state(TURBO)
    assert state.kind == "damaged" and "is a folder" in state.reason


def test_removing_ends_the_worker_first_and_tells_all_who_share_the_file(user):
    user.put()
    user.store.remove(TURBO.name)
    assert user.worker_ends == 1 and user.kind() == "missing" and not TURBO.path.exists()
    assert user.said() == ("Removed.", "hint") and user.changes[-1] == BOTH


def test_what_cannot_be_removed_is_reported(user, monkeypatch):
    user.put()

    def refuse(entry):
        raise InstallError("They are in use.")

    monkeypatch.setattr("SAMSegmentLib.weights.store.remove", refuse)
    user.store.remove(TURBO.name)
    assert user.said() == ("They are in use.", "error") and user.kind() == "installed"


def test_another_folder_holds_other_models(user, monkeypatch, tmp_path):
    monkeypatch.delenv("SAMSEGMENT_MODELS")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    user.store.use_folder(str(tmp_path / "there"))
    assert set(user.changes[-1]) == {TURBO.name, INT8.name, OTHER.name}
    assert TURBO.path == tmp_path / "there" / "small.pth"
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InstallError):
        user.store.use_folder(str(tmp_path / "file"))
    assert TURBO.path.parent == tmp_path / "there" and len(user.changes) == 1


def test_a_listener_that_was_removed_is_not_notified(user):
    user.store.drop(user)
    user.store.install(TURBO.name)
    assert user.changes == []


def test_a_listener_that_fails_keeps_nobody_from_hearing(user, caplog):
    class Gone:
        def on_models_changed(self, names):
            raise RuntimeError("a panel that is gone")

    user.store.drop(user)
    user.store.add(Gone())
    user.store.add(user)
    user.store.install(TURBO.name)
    assert user.changes == [()] and "could not show its models" in caplog.text


def test_slicers_end_ends_what_is_under_way(application, monkeypatch):
    from SAMSegmentLib.ui.models import model_store

    store, jobs = model_store.shared_model_store(), FakeModelJobs()
    assert model_store.shared_model_store() is store
    monkeypatch.setattr(store, "_make_job", jobs)
    store.install("sam-med3d-turbo")
    application.qt_application.aboutToQuit.emit()
    assert not jobs.all[0].is_running and store.running_job is None
    assert model_store._shared is None
