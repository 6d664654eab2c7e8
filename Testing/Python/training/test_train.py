"""Training learns, can be stopped and goes on, and ends with weights that can be used."""

import csv
import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from monai.metrics import compute_dice
from safetensors.torch import load_file
from torch import distributed as dist

from SAMSegmentLib.models.samsegment3d.network import PromptTensors, SAMSegment3D
from Training.config import read_config
from Training.losses import dice, mask_losses, total_loss
from Training.standardised import plain_tensors, standardise, start_from
from Training.state import NAME, PIECE_BYTES, State
from Training.train import Samples, average_gradients, interaction, learning_rate, train

ROOT = Path(__file__).parents[3]
SMOKE = ROOT / "Training" / "config" / "smoke.toml"
CPU = torch.device("cpu")
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
    network = SAMSegment3D(config.widths, config.decoder_widths)
    network.load_state_dict(tensors)
    picture = torch.rand(1, 2, 32, 32, 32) * 2 - 1
    nothing = torch.zeros(1, 1, 16, 16, 16)
    prompts = PromptTensors(torch.full((1, 1, 3), 16.0), torch.ones(1, 1), nothing, nothing)
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
    assert resumed.rows == first.rows
    last = train(short, Path(), tmp_path, 0, CPU)
    assert last.step == 6
    assert [row["step"] for row in last.rows] == [1, 2, 3, 4, 5, 6]


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


def test_standardised_weights_are_the_plain_ones_in_effect():
    torch.manual_seed(1)
    network = standardise(SAMSegment3D(**SMALL))
    picture = torch.rand(1, 2, 32, 32, 32) * 2 - 1
    with torch.no_grad():
        before = network.encode(picture).tensors()
        plain = SAMSegment3D(**SMALL)
        plain.load_state_dict(plain_tensors(network))
        after = plain.encode(picture).tensors()
    for one, other in zip(before, after, strict=True):
        assert torch.allclose(one, other, atol=1e-5)


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


def test_the_best_of_three_masks_is_what_counts():
    truth = torch.zeros(1, 8, 8, 8, 8, dtype=torch.bool)
    truth[..., 2:6, 2:6, 2:6] = True
    right = torch.where(truth, 9.0, -9.0)
    masks = torch.stack([right, -right, torch.zeros_like(right)], 1)
    losses = mask_losses(masks, truth)[0]
    assert losses[0] < 0.01 and losses[1] > 1
    one, reached = total_loss(masks, torch.zeros(1, 3), truth, torch.Generator().manual_seed(1))
    worst, _ = total_loss(
        -masks[:, :1].expand_as(masks), torch.zeros(1, 3), truth, torch.Generator()
    )
    assert one < 0.3 * worst
    assert reached[0].tolist() == pytest.approx([1, 0, 0], abs=1e-3)


def test_dice_is_monais():
    random = torch.Generator().manual_seed(4)
    logits = torch.randn(3, 1, 8, 8, 8, generator=random)
    truth = torch.rand(3, 8, 8, 8, generator=random) > 0.6
    theirs = compute_dice(logits > 0, truth[:, None])
    assert torch.allclose(dice(logits, truth), theirs, atol=1e-5)


def test_the_learning_rate_rises_then_falls_to_nothing():
    rates = [learning_rate(step, 10, step / 100) for step in range(101)]
    assert rates[0] < 0.2 and max(rates) > 0.95 and rates[-1] == 0
    assert rates.index(max(rates)) == 9


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("seed = 1", "sede = 1"), "sede"),
        (("anatomy = 1.0", "anatomy = 0.5"), "sum to 0.5"),
        (("edge = 32", "edge = 30"), "multiples of 16"),
        (('precision = "fp32"', 'precision = "int4"'), "int4"),
        (("steps = 150\n", ""), "steps"),
    ],
)
def test_a_wrong_config_says_what_is_wrong(tmp_path, change, told):
    path = tmp_path / "wrong.toml"
    path.write_text(SMOKE.read_text().replace(*change))
    with pytest.raises(ValueError, match=told):
        read_config(path)
