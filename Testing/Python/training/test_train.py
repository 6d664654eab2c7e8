"""Training learns, can be stopped and goes on, and ends with weights that can be used."""

import csv
import dataclasses
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import distributed as dist

from SAMSegmentLib.models.samsegment3d.network import SAMSegment3D
from TestSupport.prompt_tensors import prompts_of
from Training.config import read_config
from Training.standardised import plain_tensors, standardise, start_from
from Training.state import NAME, PIECE_BYTES, State
from Training.train import Samples, average_gradients, interaction, learning_rate, train

ROOT = Path(__file__).parents[3]
SMOKE = ROOT / "Training" / "config" / "smoke.toml"
CPU = torch.device("cpu")
EDGES = (32, 32, 32)
SMALL = {"widths": (8, 8, 16, 16), "decoder_widths": (8, 8, 8, 8), "heads": (1, 1)}


@pytest.fixture(scope="module")
def config():
    return read_config(SMOKE)


@pytest.fixture(scope="module")
def trained(config, tmp_path_factory):
    """The smoke run: a minute at most."""
    folder = tmp_path_factory.mktemp("smoke")
    config = dataclasses.replace(config, steps=110, minutes=20)  # however busy the machine is
    return train(config, Path("no pack is needed"), folder, 0, CPU), folder


def test_the_loss_falls(trained, config):
    state, _ = trained
    # The same samples before and after: the log's own losses also tell which samples were hard.
    samples = Samples(config, config.stage(0.0), Path("no pack is needed"), 12345)
    batches = [samples.batch(CPU) for _ in range(4)]

    def loss(network):
        random = torch.Generator().manual_seed(7)
        with torch.no_grad():
            return sum(interaction(network, *batch, 1, config, random)[0] for batch in batches)

    assert loss(state.network) < 0.9 * loss(State.new(config, CPU).network)


def test_everything_is_left_in_one_folder(trained):
    state, folder = trained
    names = {path.name.split("-")[0] for path in folder.iterdir()}
    assert names == {"samsegment3d.safetensors", "log.csv", "curves.png", NAME, f"{NAME}.latest"}
    with (folder / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == list(range(1, state.step + 1))


def test_the_weights_are_those_of_the_network_in_half_precision(trained, config):
    state, folder = trained
    tensors = load_file(folder / "samsegment3d.safetensors")
    assert {value.dtype for value in tensors.values()} == {torch.float16}
    network = SAMSegment3D(config.widths, config.decoder_widths, edition=config.edition)
    network.load_state_dict(tensors)
    picture = torch.rand(1, 2, 32, 32, 32) * 2 - 1
    prompts = prompts_of([[(16, 16, 16)]], [[1]], EDGES)
    with torch.no_grad():
        got, _ = network.decode(network.encode(picture), prompts)
        shipped = state.shipped(config)
        expected, _ = shipped.decode(shipped.encode(picture), prompts)
    assert (got - expected).abs().max() < 0.02 * expected.abs().max()


def test_a_stopped_training_goes_on_where_it_was(config, tmp_path):
    short = dataclasses.replace(config, steps=6)
    first = train(short, Path(), tmp_path, 0, CPU, stop_after=1e-9)
    assert first.step == 1
    resumed = State.new(short, CPU)
    assert resumed.resume(tmp_path, CPU)
    for one, other in zip(
        first.network.state_dict().values(), resumed.network.state_dict().values(), strict=True
    ):
        assert torch.equal(one, other)
    before, after = (each.optimizer.state_dict()["state"] for each in (first, resumed))
    assert before.keys() == after.keys() and before
    for number, kept in before.items():
        assert all(torch.equal(kept[name], after[number][name]) for name in kept)
    assert resumed.rows == first.rows
    last = train(short, Path(), tmp_path, 0, CPU)
    assert last.step == 6
    assert [row["step"] for row in last.rows] == [1, 2, 3, 4, 5, 6]


def test_all_parameters_are_trained_at_one_rate(config):
    state = State.new(config, CPU)
    state.set_learning_rate(0.125)
    groups = state.optimizer.param_groups
    assert {group["lr"] for group in groups} == {0.125}
    found = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(found) == sorted(id(parameter) for parameter in state.network.parameters())


def test_only_the_latest_checkpoint_is_kept_in_small_pieces(config, tmp_path):
    large = dataclasses.replace(config, widths=(32, 64, 128, 192), decoder_widths=(16, 32, 64, 96))
    state = State.new(large, CPU)
    state.save(tmp_path)
    state.step = 7
    state.save(tmp_path)
    pieces = list(tmp_path.glob("*.part*"))
    assert len(pieces) > 3
    assert all(piece.stat().st_size <= PIECE_BYTES for piece in pieces)
    assert all("0000007" in piece.name for piece in pieces)
    pieces[1].unlink()
    with pytest.raises(ValueError, match="not complete"):
        State.new(large, CPU).resume(tmp_path, CPU)


@pytest.mark.slow
def test_two_processes_end_with_the_same_weights(tmp_path):
    config = tmp_path / "two.toml"
    config.write_text(SMOKE.read_text().replace("steps = 150", "steps = 3"))
    script = tmp_path / "two.py"
    script.write_text(
        "import sys, torch\n"
        "from pathlib import Path\n"
        "from Training.config import read_config\n"
        "from Training.train import processes, train\n"
        "torch.set_num_threads(1)\n"
        "folder = Path(sys.argv[1])\n"
        "with processes() as (rank, device):\n"
        "    config = read_config(folder / 'two.toml')\n"
        "    state = train(config, Path(), folder / 'out', rank, device)\n"
        "    torch.save(state.network.state_dict(), folder / f'weights_{rank}.pt')\n"
    )
    path = os.pathsep.join([str(ROOT), str(ROOT / "SAMSegment")])
    environment = {**os.environ, "PYTHONPATH": path}
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    command += ["--standalone", str(script), str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    one, other = (torch.load(tmp_path / f"weights_{n}.pt", weights_only=True) for n in (0, 1))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_what_one_process_did_not_use_counts_as_no_gradient(tmp_path):
    # Without a click in any window, likeness to clicks is not used; another process may have one.
    used, unused = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    network = torch.nn.ModuleList([used, unused])
    used(torch.ones(1, 2)).sum().backward()
    before = used.weight.grad.clone()
    dist.init_process_group("gloo", f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    try:
        average_gradients(network)
    finally:
        dist.destroy_process_group()
    assert torch.equal(used.weight.grad, before)
    assert not unused.weight.grad.any()


@pytest.mark.parametrize("edition", [1, 2])
def test_standardised_weights_are_the_plain_ones_in_effect(edition):
    torch.manual_seed(1)
    network = standardise(SAMSegment3D(**SMALL, edition=edition))
    plain = SAMSegment3D(**SMALL, edition=edition)
    plain.load_state_dict(plain_tensors(network))
    picture, prompts = torch.rand(1, 2, 32, 32, 32) * 2 - 1, prompts_of([[(3, 9, 7)]], [[1]], EDGES)
    with torch.no_grad():
        outputs = [
            (*features.tensors(), *each.decode(features, prompts))
            for each in (network, plain)
            for features in [each.encode(picture)]
        ]
    for one, other in zip(*outputs, strict=True):
        assert torch.allclose(one, other, atol=1e-4)


@pytest.mark.parametrize("edition", [1, 2])
def test_before_training_masks_are_background(edition):
    torch.manual_seed(1)
    network = standardise(SAMSegment3D(edition=edition))
    with torch.no_grad():
        features = network.encode(torch.rand(1, 2, 32, 32, 32) * 2 - 1)
        masks, _ = network.decode(features, prompts_of([[(3, 9, 7)]], [[1]], EDGES))
    assert masks.mean() < -1


def test_a_training_can_start_from_weights_that_ship():
    torch.manual_seed(3)
    shipped = plain_tensors(standardise(SAMSegment3D(**SMALL)))
    half = {name: value.half() for name, value in shipped.items()}
    network = standardise(SAMSegment3D(**SMALL))
    start_from(network, half)
    for name, value in plain_tensors(network).items():
        assert torch.allclose(value, shipped[name], atol=2e-3), name
    with pytest.raises((RuntimeError, AttributeError)):
        start_from(standardise(SAMSegment3D(**{**SMALL, "heads": (2, 1)})), half)


def test_signals_keep_their_size_through_a_network_at_random():
    torch.manual_seed(2)
    network = standardise(SAMSegment3D())
    with torch.no_grad():
        levels = network.encode(torch.randn(1, 2, 48, 48, 48)).levels
    for level in levels:
        assert 0.3 < float(level.std()) < 4


def test_the_learning_rate_rises_then_falls_to_nothing():
    rates = [learning_rate(step, 10, step / 100) for step in range(101)]
    assert rates[0] < 0.2 and max(rates) > 0.95 and rates[-1] == 0
    assert rates.index(max(rates)) == 9


def test_with_a_plateau_it_falls_at_the_end_only():
    rates = [learning_rate(step, 10, step / 100, 0.75) for step in range(101)]
    assert rates[9:76] == [1.0] * 67 and rates[-1] == pytest.approx(0)
    assert all(one > next_one for one, next_one in pairwise(rates[75:]))


@pytest.mark.parametrize("path", SMOKE.parent.glob("*.toml"), ids=lambda path: path.stem)
def test_each_config_can_be_read(path):
    assert read_config(path).stages


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("seed = 1", "sede = 1"), "sede"),
        (("anatomy = 1.0", "anatomy = 0.5"), "sum to 0.5"),
        (("edge = 32", "edge = 30"), "multiples of 16"),
        (('precision = "fp32"', 'precision = "int4"'), "int4"),
        (("click = 0.7", "click = 0.6"), "first sum to 0.9"),
        (("click = 0.7", "klick = 0.7"), "unknown kinds of first prompt: klick"),
        (("seed = 1", "seed = 1\ndecay_from = 1.0"), "decay_from"),
        (("kept = 1.0", "kapt = 1.0"), "kapt"),
        (("steps = 150\n", ""), "steps"),
    ],
)
def test_a_wrong_config_says_what_is_wrong(tmp_path, change, told):
    path = tmp_path / "wrong.toml"
    path.write_text(SMOKE.read_text().replace(*change))
    with pytest.raises(ValueError, match=told):
        read_config(path)
