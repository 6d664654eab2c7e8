"""`python -m SAMSegmentLib models ...`: what it does, what it says, and how it ends."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from SAMSegmentLib.__main__ import main
from SAMSegmentLib.weights import catalogue as catalogue_module
from SAMSegmentLib.weights.catalogue import catalogue, model_entry
from TestSupport.own_model import put_own_model
from TestSupport.served_model import has_come, served_model
from TestSupport.weights_server import WeightsServer, stall_after, status

CONTENT = np.random.default_rng(1).bytes(2_000_000)
HALF = 1_000_000
PATIENCE_S = 60.0
NAME, SIBLING = "sam-med3d-turbo", "sam-med3d-turbo-int8"
EMBEDDED = ["litemedsam", "samsegment3d"]


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    """The models folder; nobody has made it yet."""
    monkeypatch.setenv("SAMSEGMENT_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture
def server():
    with WeightsServer(CONTENT) as server:
        yield server


@pytest.fixture
def use(monkeypatch):
    """Puts models into the catalogue, instead of those of the same name."""

    def use(*entries):
        changed = {**catalogue(), **{entry.name: entry for entry in entries}}
        monkeypatch.setattr(catalogue_module, "catalogue", lambda: changed)
        monkeypatch.setattr("SAMSegmentLib.cli.models.catalogue", lambda: changed)
        return entries[0]

    return use


@pytest.fixture
def entry(server, use):
    """A model whose weights lie on the server, and another that runs the same file."""
    return use(served_model(server), served_model(server, name=SIBLING, title="SAM-Med3D int8"))


@pytest.fixture
def run(capsys):
    """Runs a command: its exit status, and the lines that it wrote to stdout and stderr."""

    def run(*arguments: str):
        capsys.readouterr()
        status = main(["models", *arguments])
        captured = capsys.readouterr()
        return status, captured.out.splitlines(), captured.err.splitlines()

    return run


def states(lines: list[str]) -> dict[str, str]:
    """What the list says of each model's weights."""
    column = lines[0].rindex("weights")
    assert lines[0][column:] == "weights"
    return {line.split()[0]: line[column:] for line in lines[1:]}


class TestTheList:
    def test_is_what_models_alone_prints(self, run):
        assert run() == run("list")
        status, out, err = run()
        assert (status, err) == (0, []) and len(out) == 1 + len(catalogue())
        assert "9.8 M" in out[1] and "Apache-2.0" in out[1]

    def test_says_whose_weights_are_there_and_whose_only_in_part(self, run, folder):
        nothing = {n: "included" if e.embedded else "not installed" for n, e in catalogue().items()}
        assert states(run()[1]) == nothing and not folder.exists()
        folder.mkdir()
        model_entry(NAME).files.partial.write_bytes(bytes(1_500_000))
        assert states(run()[1])[NAME] == "partly downloaded (1.5 MB)"
        model_entry(NAME).path.write_bytes(b"anything")
        assert states(run()[1])[NAME] == "installed"

    def test_says_what_a_licence_forbids(self, run, use):
        use(dataclasses.replace(model_entry(NAME), restriction="non-commercial use only"))
        (line,) = [line for line in run()[1] if line.startswith(f"{NAME} ")]
        assert "Apache-2.0 (non-commercial use only)" in line

    def test_has_the_models_of_the_users_own_folder_and_tells_what_is_wrong_there(
        self, run, folder
    ):
        two = [{"name": "liver"}, {"name": "spleen"}]
        put_own_model(folder)
        put_own_model(folder, "organs", task="automatic", prompts=[], structures=two)
        put_own_model(folder, "wrong", size=0)
        status, out, (problem,) = run()
        assert status == 0 and states(out)["mine"] == states(out)["organs"] == "your own"
        assert "none: finds liver and 1 more" in out[-1] and "'wrong'" in problem

    def test_can_be_read_by_other_programs(self, run, folder):
        status, out, err = run("list", "--json")
        told = {model["name"]: model for model in json.loads("\n".join(out))}
        assert (status, err, list(told)) == (0, [], list(catalogue()))
        for name, entry in catalogue().items():
            facts = json.loads(json.dumps(dataclasses.asdict(entry)))
            # As it was called before entries had parameters for their engine.
            facts |= {"parameters": entry.parameter_count, "embedded": entry.embedded}
            facts["parts"] = {part.role: part.model.name for part in entry.parts}
            assert {key: told[name][key] for key in facts} == facts
            assert told[name]["path"] == str(entry.path)
            assert told[name]["state"] == ("included" if entry.embedded else "not installed")
            assert told[name]["partial_bytes"] == 0


class TestInstall:
    def test_says_what_comes_from_where_then_how_far_it_is_then_where_it_lies(
        self, run, entry, server, folder
    ):
        status, out, err = run("install", NAME)
        assert (status, out) == (0, [f"{NAME}: installed ({entry.path})"])
        assert entry.path.read_bytes() == CONTENT
        assert err[0] == (
            "samsegment: SAM-Med3D turbo: sam_med3d_turbo.pth, 2.0 MB, Apache-2.0, from "
            f"127.0.0.1:{server.port}, into {folder}"
        )
        assert any(line.startswith("Downloading from 127.0.0.1") for line in err[1:])
        assert len(err) < 10

    @pytest.mark.parametrize("quiet", [[], ["--quiet"]])
    def test_says_what_a_licence_forbids_before_anything_is_fetched(
        self, run, use, server, quiet, monkeypatch
    ):
        use(served_model(server, restriction="non-commercial use only"))
        status, _, err = run("install", NAME, *quiet)
        assert status == 0 and "Apache-2.0 (non-commercial use only)" in err[0]
        assert not quiet or len(err) == 1

    def test_names_the_users_own_mirror_first(self, run, entry, server, monkeypatch):
        monkeypatch.setenv("SAMSEGMENT_MIRROR", f"http://localhost:{server.port}/weights/")
        status, _, err = run("install", NAME)
        hosts = [f"{host}:{server.port}" for host in ("localhost", "127.0.0.1")]
        assert status == 0 and f"from {' or '.join(hosts)}, into" in err[0]
        assert err[1].startswith(f"Downloading from {hosts[0]}")

    def test_can_be_quiet(self, run, entry):
        assert run("install", NAME, "--quiet") == (0, [], [])
        assert entry.is_installed

    def test_takes_a_file_or_its_folder_and_asks_no_server(self, run, entry, server, tmp_path):
        (tmp_path / entry.file).write_bytes(CONTENT)
        for source in (tmp_path / entry.file, tmp_path):
            status, out, err = run("install", NAME, "--from", str(source))
            assert (status, out) == (0, [f"{NAME}: installed ({entry.path})"])
            assert err[0].endswith(f"Apache-2.0, from {source}")
            entry.path.unlink()
        assert server.offsets == []

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (["sam-med3d"], NAME),
            (["litemedsam"], "comes with SAMSegment"),
            ([NAME, "--from", "nowhere"], "does not exist"),
            ([], "name"),
        ],
    )
    def test_of_what_cannot_be_is_a_bad_argument(self, run, entry, server, arguments, says, folder):
        status, out, err = run("install", *arguments)
        assert (status, out, len(err)) == (2, [], 1) and says in err[0]
        assert server.offsets == [] and not folder.exists()

    def test_that_fails_ends_with_1_and_a_line_that_says_why(self, run, use, server):
        entry, server.otherwise = use(served_model(server)), status(404)
        ended, out, err = run("install", NAME, "--quiet")
        assert (ended, out, len(err)) == (1, [], 1)
        assert err[0].startswith("samsegment: ") and "127.0.0.1" in err[0]
        assert not entry.is_installed

    def test_of_wrong_bytes_installs_nothing(self, run, use, server):
        entry = use(served_model(server, sha256="0" * 64))
        status, out, err = run("install", NAME, "--quiet")
        assert (status, out, len(err)) == (1, [], 1)
        assert not entry.is_installed and "installed" not in states(run()[1])[NAME].split()[0]

    @pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT as Ctrl+C does")
    def test_that_is_stopped_by_ctrl_c_keeps_what_came_and_says_how_to_go_on(
        self, run, use, folder, tmp_path
    ):
        """In a program of its own, whose whole group of processes gets the signal."""
        with WeightsServer(CONTENT, [stall_after(HALF)]) as server:
            entry = use(served_model(server))
            script = tmp_path / "command.py"
            names = ("downloads", "sha256", "size")
            changes = {name: getattr(entry, name) for name in names}
            script.write_text(PROGRAM.format(changes=changes))
            program = subprocess.Popen(
                [sys.executable, script],
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
            end = time.monotonic() + PATIENCE_S
            while not has_come(entry, HALF):
                assert time.monotonic() < end
                assert program.poll() is None, program.stderr.read()
                time.sleep(0.01)
            os.killpg(program.pid, signal.SIGINT)
            said = program.communicate(timeout=PATIENCE_S)[1].splitlines()
            assert program.returncode == 1
            assert said[-1] == (
                "samsegment: Cancelled. What was downloaded is kept: the same command carries on."
            )
            assert states(run()[1])[NAME] == "partly downloaded (1.0 MB)"
            assert run("install", NAME, "--quiet") == (0, [], [])
            assert server.offsets == [None, HALF]
        assert entry.path.read_bytes() == CONTENT


PROGRAM = """
import dataclasses, sys
from SAMSegmentLib.__main__ import main
from SAMSegmentLib.weights.catalogue import catalogue, model_entry

entry = model_entry("sam-med3d-turbo")
changes = {changes!r}
catalogue()[entry.name] = dataclasses.replace(entry, **changes)
sys.exit(main(["models", "install", entry.name]))
"""


class TestVerify:
    def test_without_a_name_checks_all_that_are_installed_and_each_file_once(
        self, run, entry, folder
    ):
        assert [line.split(":")[0] for line in run("verify")[1]] == EMBEDDED
        folder.mkdir()
        entry.path.write_bytes(CONTENT)
        status, out, _ = run("verify")
        assert status == 0
        assert out[-1] == f"{NAME}, {SIBLING}: as published ({entry.path}, SHA-256 {entry.sha256})"

    def test_tells_which_file_is_damaged_keeps_it_and_goes_on_to_the_next(self, run, entry, folder):
        folder.mkdir()
        entry.path.write_bytes(CONTENT[1:])
        status, out, err = run("verify")
        assert status == 1 and [line.split(":")[0] for line in out] == EMBEDDED
        (line,) = [line for line in err if line.startswith("samsegment: ")]
        assert NAME in line and SIBLING in line and str(entry.path) in line
        assert entry.path.exists()

    def test_of_one_that_is_made_of_others_reads_the_files_of_these(self, run):
        made = model_entry("automatic")
        status, (line,), _ = run("verify", "automatic")
        paths = ", ".join(str(model.path) for model in made.models)
        assert (status, line) == (0, f"automatic: as published ({paths}, SHA-256 {made.sha256})")

    def test_of_one_that_is_not_installed_ends_with_1(self, run, entry):
        status, out, err = run("verify", NAME)
        assert (status, out) == (1, []) and "not installed" in err[-1]
        assert run("verify", "nonsense")[0] == 2


class TestRemove:
    def test_deletes_the_weights_and_says_whose_they_were_too(self, run, entry, folder):
        folder.mkdir()
        entry.path.write_bytes(CONTENT)
        status, out, err = run("remove", NAME)
        assert (status, out) == (0, [f"{NAME}: removed"])
        assert err == [f"samsegment: The same file was that of {SIBLING}."]
        assert not entry.is_installed
        assert run("remove", NAME) == (0, [f"{NAME}: was not installed"], [])

    def test_deletes_half_a_download_too(self, run, entry, folder):
        folder.mkdir()
        entry.files.partial.write_bytes(CONTENT[:100])
        assert run("remove", NAME)[:2] == (0, [f"{NAME}: removed"])
        assert not entry.files.partial.exists()

    @pytest.mark.parametrize("name", ["litemedsam", "nonsense"])
    def test_of_what_cannot_be_removed_is_a_bad_argument(self, run, name):
        status, out, err = run("remove", name)
        assert (status, out, len(err)) == (2, [], 1)
        assert model_entry("litemedsam").is_installed


class TestTheFolder:
    @pytest.fixture
    def own_place(self, monkeypatch, tmp_path):
        """A user whose environment names no folder of models, in a home folder of his own."""
        monkeypatch.delenv("SAMSEGMENT_MODELS")
        for variable in ("HOME", "USERPROFILE", "XDG_DATA_HOME", "LOCALAPPDATA"):
            monkeypatch.setenv(variable, str(tmp_path / "home"))
        (tmp_path / "home").mkdir()

    def test_is_printed(self, run, folder):
        assert run("folder") == (0, [str(folder)], [])
        assert not folder.exists()

    def test_can_be_chosen_and_the_usual_one_be_taken_again(self, run, own_place, tmp_path):
        usual = run("folder")[1]
        assert run("folder", "--set", str(tmp_path / "large")) == (0, [str(tmp_path / "large")], [])
        assert run("folder")[1] == [str(tmp_path / "large")]
        assert run("folder", "--default") == (0, usual, [])
        assert run("folder")[1] == usual

    def test_what_stays_in_the_old_one_is_told(self, run, own_place, tmp_path):
        run("folder", "--set", str(tmp_path / "old"))
        model_entry(NAME).path.write_bytes(b"anything")
        status, out, err = run("folder", "--set", str(tmp_path / "new"))
        assert (status, out) == (0, [str(tmp_path / "new")])
        assert len(err) == 1 and f"{tmp_path / 'old'} stay there" in err[0]
        assert (tmp_path / "old" / model_entry(NAME).file).exists()

    def test_that_cannot_be_used_is_refused_and_the_old_one_stays(self, run, own_place, tmp_path):
        before = run("folder")[1]
        (tmp_path / "file").write_bytes(b"")
        status, out, err = run("folder", "--set", str(tmp_path / "file"))
        assert (status, out, len(err)) == (1, [], 1)
        assert run("folder")[1] == before

    def test_that_the_environment_names_is_not_chosen_here(self, run, folder, tmp_path):
        for choice in (["--set", str(tmp_path)], ["--default"]):
            status, out, err = run("folder", *choice)
            assert (status, out, len(err)) == (2, [], 1) and "SAMSEGMENT_MODELS" in err[0]
        assert run("folder", "--set", "a", "--default")[0] == 2


def test_nothing_is_fetched_by_any_other_command(run, entry, server):
    for arguments in ([], ["list"], ["list", "--json"], ["verify"], ["remove", NAME], ["folder"]):
        run(*arguments)
    run("verify", NAME)
    assert server.offsets == []
