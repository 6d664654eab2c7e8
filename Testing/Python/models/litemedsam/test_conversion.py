"""The weights in the extension are the published ones, and their precision is enough.

Precision is measured as the Dice coefficient between the mask of the converted and the mask of
the original weights, for the same slice and box: the box around the largest label of the slice, the
masks at the network's 256 x 256 pixels.
"""

import hashlib
import json
from dataclasses import dataclass

import pytest
from litemedsam_reference import SHARED_DATA, labelled_slices
from safetensors.torch import load_file

import convert_litemedsam
from SAMSegmentLib.models.litemedsam.network import LiteMedSAM

needs_shared_data = pytest.mark.skipif(
    not SHARED_DATA.is_dir(), reason="the shared test data is not there"
)


@pytest.fixture(scope="module")
def converted():
    return LiteMedSAM.build(load_file(convert_litemedsam.DEFAULT_OUTPUT))


def test_the_conversion_gives_the_committed_file_each_time(published):
    source = convert_litemedsam.find_source()
    content = convert_litemedsam.convert(source)
    assert content == convert_litemedsam.convert(source)
    assert _sha256(content) == _sha256(convert_litemedsam.DEFAULT_OUTPUT.read_bytes())


def test_a_file_that_is_not_the_published_one_is_refused(tmp_path):
    other = tmp_path / "lite_medsam.pth"
    other.write_bytes(b"something else")
    with pytest.raises(ValueError, match="sha256"):
        convert_litemedsam.convert(other)


def test_the_committed_file_says_where_it_comes_from():
    content = convert_litemedsam.DEFAULT_OUTPUT.read_bytes()
    length = int.from_bytes(content[:8], "little")
    metadata = json.loads(content[8 : 8 + length])["__metadata__"]
    assert metadata["source_sha256"] == convert_litemedsam.SOURCE_SHA256
    assert metadata["licence"] == "Apache-2.0"


def test_the_provenance_card_names_both_hashes():
    card = convert_litemedsam.DEFAULT_OUTPUT.with_name("card.md").read_text(encoding="utf-8")
    assert convert_litemedsam.SOURCE_SHA256 in card
    assert _sha256(convert_litemedsam.DEFAULT_OUTPUT.read_bytes()) in card


def test_the_committed_file_has_the_published_keys_and_shapes(published):
    weights = load_file(convert_litemedsam.DEFAULT_OUTPUT)
    assert {name: tensor.shape for name, tensor in weights.items()} == {
        name: tensor.shape for name, tensor in published.items()
    }


@pytest.mark.slow
@needs_shared_data
def test_converted_weights_give_the_same_masks(fast, converted):
    _assert_agree(compare(fast, converted, list(labelled_slices(per_case=1))[::3]))


@pytest.mark.slow
@needs_shared_data
def test_converted_weights_give_the_same_masks_on_a_hundred_slices(fast, converted):
    comparisons = compare(fast, converted, labelled_slices(per_case=9))
    assert len(comparisons) >= 100
    print(f"\n{summary(comparisons)}")
    _assert_agree(comparisons)


@dataclass(frozen=True)
class Comparison:
    """Two masks of one slice, in pixels."""

    name: str
    overlap: int
    total: int
    different: int

    @property
    def dice(self) -> float:
        return 2 * self.overlap / self.total if self.total else 1.0


def compare(original, converted, slices) -> list[Comparison]:
    """The masks of two models, slice by slice."""
    comparisons = []
    for item in slices:
        a, b = _mask(original, item), _mask(converted, item)
        counts = (a & b).sum(), a.sum() + b.sum(), (a != b).sum()
        comparisons.append(Comparison(item.name, *(int(count) for count in counts)))
    return comparisons


def pooled_dice(comparisons: list[Comparison]) -> float:
    """The Dice coefficient of all slices' pixels taken together."""
    return 2 * sum(c.overlap for c in comparisons) / sum(c.total for c in comparisons)


def mean_dice(comparisons: list[Comparison]) -> float:
    return sum(c.dice for c in comparisons) / len(comparisons)


def summary(comparisons: list[Comparison]) -> str:
    worst = min(comparisons, key=lambda c: c.dice)
    below = sum(c.dice < 0.999 for c in comparisons)
    return (
        f"{len(comparisons)} slices: pooled Dice {pooled_dice(comparisons):.5f}, mean "
        f"{mean_dice(comparisons):.5f}, {below} slices below 0.999, worst {worst.dice:.5f} "
        f"({worst.different} pixels differ, {worst.name})"
    )


def _mask(model, item):
    return model.decode(model.encode(item.image), boxes=item.box)[0] > 0


def _assert_agree(comparisons: list[Comparison]) -> None:
    assert pooled_dice(comparisons) >= 0.999
    assert mean_dice(comparisons) >= 0.999
    # A pixel or two at the border of a small mask, nothing that anyone would see.
    assert min(c.dice for c in comparisons) >= 0.99


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
