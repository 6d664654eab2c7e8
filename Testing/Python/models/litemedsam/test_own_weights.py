"""LiteMedSAM with weights that a user brings."""

import pytest
import torch
from safetensors.torch import load_file

from SAMSegmentLib.core.errors import WeightsError
from SAMSegmentLib.models.litemedsam.engine import load_network
from SAMSegmentLib.weights.catalogue import model_entry

CPU = torch.device("cpu")


def test_may_come_as_a_checkpoint(tmp_path):
    torch.save(load_file(model_entry("litemedsam").path), tmp_path / "mine.pth")
    mine = load_network(tmp_path / "mine.pth", CPU).state_dict()
    included = load_network(model_entry("litemedsam").path, CPU).state_dict()
    assert mine.keys() == included.keys()
    assert all(torch.equal(mine[name], included[name]) for name in mine)


def test_of_another_network_are_refused_in_a_sentence():
    with pytest.raises(WeightsError, match="not the weights of LiteMedSAM, but of another network"):
        load_network(model_entry("samsegment3d").path, CPU)
