"""The list of devices: what there is, what is chosen, and what happens if a card is too small."""

import pytest

from SAMSegmentLib.worker.protocol.events import DeviceInfo, Proposed, Ready, WorkerInfo

from ..conftest import BALL, TIMEOUT_S

# Not marked mrml: nothing here depends on the line of slicer-core.

GIB = 2**30
CARD = DeviceInfo("cuda:0", "NVIDIA A2", 15 * GIB)
TWIN = DeviceInfo("cuda:1", "NVIDIA A2", 15 * GIB)
BROKEN = DeviceInfo("cuda:0", "NVIDIA A2", 15 * GIB, False, "PyTorch cannot compute on it: x < y.")
PROCESSOR = DeviceInfo("cpu", "", 32 * GIB)


def info(*devices, automatic="cpu", notice="", device="cpu"):
    return WorkerInfo(7, "3.12", "2.9", device, "", 4, GIB, devices, automatic, notice)


@pytest.fixture
def report(application):
    """The worker tells of its devices."""
    from SAMSegmentLib.ui.common.device_settings import set_known_devices

    return set_known_devices


@pytest.fixture
def make_selector(application):
    """Makes a combo box with a DeviceSelector; what was chosen goes into its `choices`."""
    import qt

    from SAMSegmentLib.ui.common.device_selector import DeviceSelector

    made = []

    def make():
        combo, choices = qt.QComboBox(), []
        combo.setToolTip("Where the model runs")
        selector = DeviceSelector(combo, choices.append)
        made.append((combo, selector))
        return Shown(combo, choices)

    yield make
    for combo, selector in made:
        selector.release()
        combo.deleteLater()
    assert application.errors == []


class Shown:
    """What a user sees of a combo box."""

    def __init__(self, combo, choices) -> None:
        self.combo, self.choices = combo, choices

    @property
    def texts(self):
        return [self.combo.itemText(index) for index in range(self.combo.count)]

    @property
    def current(self):
        return self.combo.currentText

    def tip(self, index):
        import qt

        return self.combo.itemData(index, qt.Qt.ToolTipRole)

    def can_be_chosen(self, index):
        import qt

        model = self.combo.model()
        return bool(model.flags(model.index(index, 0)) & qt.Qt.ItemIsEnabled)


def test_before_the_worker_reports_there_is_what_there_may_be(make_selector):
    shown = make_selector()
    assert shown.texts == [
        "automatic",
        "graphics card (CUDA)",
        "graphics card (Apple)",
        "processor",
    ]
    assert shown.current == "automatic"


def test_every_device_is_listed_and_what_automatic_means(make_selector, report):
    shown = make_selector()
    report(info(CARD, PROCESSOR, automatic="cuda:0"))
    assert shown.texts == ["automatic (NVIDIA A2)", "NVIDIA A2", "processor"]
    assert shown.tip(1) == "15 GB of memory"
    assert shown.current == "automatic (NVIDIA A2)"
    assert shown.choices == []
    assert make_selector().texts == shown.texts


def test_cards_of_one_name_can_be_told_apart(make_selector, report):
    shown = make_selector()
    report(info(CARD, TWIN, PROCESSOR, automatic="cuda:1"))
    assert shown.texts[1:3] == ["NVIDIA A2 (cuda:0)", "NVIDIA A2 (cuda:1)"]


def test_a_device_that_cannot_be_used_says_why_and_cannot_be_chosen(make_selector, report):
    shown = make_selector()
    report(info(BROKEN, PROCESSOR))
    assert shown.texts == ["automatic (CPU)", "NVIDIA A2", "processor"]
    assert [shown.can_be_chosen(index) for index in range(3)] == [True, False, True]
    assert shown.tip(1) == "<p>PyTorch cannot compute on it: x &lt; y.</p>"


def test_a_choice_is_shown_by_its_name_and_remembered(make_selector, report):
    from SAMSegmentLib.ui.common import device_settings

    shown = make_selector()
    report(info(CARD, TWIN, PROCESSOR, automatic="cuda:0"))
    shown.combo.setCurrentIndex(2)
    assert shown.choices == ["cuda:1"]
    device_settings.set_device("cuda:1")
    assert make_selector().current == "NVIDIA A2 (cuda:1)"


def test_the_first_card_may_have_been_chosen_before_it_had_a_name(make_selector, report):
    from SAMSegmentLib.ui.common import device_settings

    device_settings.set_device("cuda")
    shown = make_selector()
    assert shown.current == "graphics card (CUDA)"
    report(info(CARD, PROCESSOR, automatic="cuda:0", device="cuda:0"))
    assert shown.current == "NVIDIA A2"
    assert device_settings.device() == "cuda" and shown.choices == []


@pytest.mark.parametrize(
    ("name", "text"),
    [("mps", "graphics card (Apple)"), ("cuda:2", "graphics card 3 (CUDA)")],
)
def test_a_device_that_is_not_there_any_more_is_still_shown_as_chosen(
    make_selector, report, name, text
):
    from SAMSegmentLib.ui.common import device_settings

    device_settings.set_device(name)
    shown = make_selector()
    report(info(CARD, PROCESSOR, automatic="cuda:0"))
    assert shown.current == text and device_settings.device() == name


def test_a_later_slicer_knows_the_names_but_not_what_failed_then(
    make_selector, report, monkeypatch
):
    from SAMSegmentLib.ui.common import device_settings

    report(info(BROKEN, PROCESSOR, notice="NVIDIA A2 is not used."))
    monkeypatch.setattr(device_settings, "_reported", None)  # as if it had just started
    shown = make_selector()
    assert shown.texts == ["automatic (CPU)", "NVIDIA A2", "processor"]
    assert shown.can_be_chosen(1) and shown.tip(1) == "15 GB of memory"
    assert "not used" not in shown.combo.toolTip


@pytest.mark.parametrize(
    "kept", ["", "{", "[]", '{"devices": [["rm -rf", "x", 1]], "automatic": ""}', '{"devices": 3}']
)
def test_settings_that_make_no_sense_are_as_none(make_selector, kept):
    import qt

    from SAMSegmentLib.ui.common import device_settings

    qt.QSettings().setValue(device_settings.KNOWN_DEVICES, kept)
    qt.QSettings().setValue(device_settings.DEVICE, "abacus")
    assert make_selector().texts[0] == "automatic" and device_settings.device() == "auto"


def test_a_selector_that_was_released_is_not_notified_any_more(application, report):
    import qt

    from SAMSegmentLib.ui.common.device_selector import DeviceSelector

    combo = qt.QComboBox()
    DeviceSelector(combo, print).release()
    report(info(CARD, PROCESSOR, automatic="cuda:0"))
    assert combo.count == 4


def test_a_worker_that_leaves_the_card_is_reported_in_the_tip(make_selector, report):
    shown = make_selector()
    report(info(CARD, PROCESSOR, automatic="cuda:0", device="cuda:0"))
    assert shown.combo.toolTip == "<p>Where the model runs</p>"
    report(info(CARD, PROCESSOR, notice="NVIDIA A2 has too little free memory."))
    assert shown.combo.toolTip.endswith("<p>NVIDIA A2 has too little free memory.</p>")
    assert shown.current == "automatic (CPU)"


def test_diagnostics_list_the_devices(application):
    from SAMSegmentLib.ui.module.diagnostics import diagnostics
    from SAMSegmentLib.worker.protocol.events import WorkerState

    class Client:
        state, last_error = WorkerState.READY, None

    Client.info = info(BROKEN, TWIN, PROCESSOR, automatic="cuda:1", notice="Something happened.")
    text = diagnostics(Client)
    assert (
        "Devices: cuda:0 NVIDIA A2, 15.0 GiB, not usable (PyTorch cannot compute on it: x < y.);"
        " cuda:1 NVIDIA A2, 15.0 GiB, automatic; cpu, 32.0 GiB\n"
    ) in text
    assert "; Something happened.\n" in text
    assert "Devices: not told yet" in diagnostics()


class TestInTheEffect:
    """With a real worker whose card is pretended, and too small."""

    @pytest.fixture
    def service(self, application, monkeypatch):
        from SAMSegmentLib.ui.common import worker_service
        from SAMSegmentLib.worker.client.process_client import WorkerClient
        from TestSupport import fake_card
        from TestSupport.catalogue_models import catalogue_run_by

        service = worker_service.WorkerService(
            lambda device: WorkerClient(device, fake_card.PYTHON)
        )
        monkeypatch.setattr(worker_service, "_shared", service)
        with catalogue_run_by("too-large"):
            yield service
        service.close()

    def test_the_proposal_comes_with_a_warning_and_no_prompt_is_lost(
        self, make_user, make_panel, service
    ):
        events = []

        class EventCounter:
            def on_worker_event(self, event):
                events.append(type(event))

        user = make_user()
        service.acquire(EventCounter())
        panel = make_panel(service)
        user.wait(lambda: "Pretended" in user.ui.deviceSelector.currentText)
        assert panel.ui.deviceSelector.currentText == "automatic (Pretended card)"

        assert user.propose(BALL).sum() > 50
        assert user.status.startswith("Pretended card has too little free memory: the processor")
        assert len(user.rows) == 1 and events.count(Ready) == 2
        for ui in (user.ui, panel.ui):
            assert ui.deviceSelector.currentText == "automatic (CPU)"
            assert "too little free memory" in ui.deviceSelector.toolTip
        panel.refresh()
        assert "processor, PyTorch" in panel.ui.workerLabel.text
        assert "too little free memory" in panel.ui.workerLabel.text
        assert Proposed not in events  # it is nobody's else

        assert user.propose((BALL[0] + 3, BALL[1], BALL[2])).sum() > 50
        assert user.status == "Mask 1 of 2. Correct with more points, or Apply."
        assert user.application.wait(lambda: not user.is_busy, TIMEOUT_S)
