"""How volumes get to the worker: in small steps, once, and not too many of them."""

import json

import numpy as np
import pytest

from SAMSegmentLib.core.errors import OutOfMemoryError
from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.image import Image
from SAMSegmentLib.core.patch import Patch
from SAMSegmentLib.core.voxel_prompts import VoxelPrompts
from SAMSegmentLib.worker.client.array_uploads import MOST_VOLUMES, ArrayUploads
from SAMSegmentLib.worker.protocol.events import Proposed
from SAMSegmentLib.worker.protocol.messages import AllocateArray, DropArray
from SAMSegmentLib.worker.protocol.shared_array import CHUNK_BYTES

RANDOM = np.random.default_rng(1)


def image_of(voxels):
    return Image(voxels, Geometry(np.diag([1.5, 1.5, 3, 1]), voxels.shape))


@pytest.fixture
def pump(shared_pump):
    """The shared one, without the images of other tests."""
    shared_pump.client.forget_images()
    return shared_pump


class TestOnTheirWay:
    def test_no_poll_copies_more_than_its_time_allows(self, pump):
        image = image_of(RANDOM.integers(-1000, 1000, (60, 300, 400), dtype=np.int16))
        number = pump.ask(image)
        uploads, polls = pump.client._uploads, 0
        before = uploads.copied
        events = []
        while uploads.copied < before + image.voxels.nbytes:
            copied = uploads.copied
            events += pump.client.poll(budget_s=0)
            assert uploads.copied - copied <= CHUNK_BYTES
            polls += uploads.copied > copied
        assert polls >= image.voxels.nbytes / CHUNK_BYTES
        handed = [e for e in events if e.message == "Handing the volume to the model"]
        shares = [event.done / event.total for event in handed]
        assert shares == sorted(set(shares)) and shares[0] == 0 and shares[-1] > 0.9
        assert [e.message for e in events[len(handed) :]] in ([], ["Preparing the model"])
        told = json.loads(pump.until(Proposed, number).proposals[0].warnings[0])
        assert told["sum"] == image.voxels.sum(dtype=np.int64)

    @pytest.mark.parametrize("dtype", ["<i2", ">i2", "u1", "?", "<f4", ">f8", "<i8", "<f2"])
    def test_voxels_of_any_type_arrive_as_they_are(self, pump, dtype):
        voxels = RANDOM.integers(0, 2 if dtype == "?" else 120, (5, 40, 50)).astype(dtype)
        told = pump.told(image_of(voxels))
        assert told["sum"] == voxels.sum(dtype=np.int64)
        assert told["dtype"] == np.dtype(dtype).newbyteorder("=").str

    def test_so_do_voxels_in_any_order(self, pump):
        whole = RANDOM.integers(-50, 50, (70, 80, 80), dtype=np.int16)
        for voxels in (whole.T, whole[::-1, :, ::-1], whole[::3, ::2], np.asfortranarray(whole)):
            assert pump.told(image_of(voxels))["sum"] == voxels.sum(dtype=np.int64)

    def test_an_answer_lies_where_the_voxels_are(self, pump):
        voxels = np.zeros((30, 60, 70), dtype=np.float32)
        voxels[7, 21, 33] = 500
        patch = pump.answer(image_of(voxels), target=image_of(voxels).geometry).patch()
        assert patch.start == (7, 21, 33) and patch.values.shape == (1, 1, 1)


class TestInTheWorker:
    def test_a_volume_is_copied_once(self, pump):
        uploads, image = pump.client._uploads, pump.image()
        before = uploads.copied
        first, second = pump.told(image), pump.told(image)
        assert uploads.copied - before == image.voxels.nbytes
        assert first["images"] == second["images"] == 1

    def test_one_whose_voxels_changed_is_copied_anew(self, pump):
        image = pump.image()
        first = pump.told(image)
        changed = pump.told(pump.image(voxels=image.voxels + 1))
        assert changed["sum"] == first["sum"] + image.voxels.size

    def test_one_that_moved_is_another_image_but_is_not_copied_again(self, pump):
        image = pump.image()
        pump.told(image)
        copied = pump.client._uploads.copied
        moved = Geometry(np.eye(4, k=3) + image.geometry.ijk_to_ras, image.geometry.shape)
        assert pump.told(Image(image.voxels, moved, key=image.key))["images"] == 2
        assert pump.client._uploads.copied == copied

    def test_only_the_last_volumes_are_kept(self, pump):
        images = [pump.image() for _ in range(3)]
        uploads = pump.client._uploads
        pump.told(images[0])
        pump.told(images[1])
        pump.told(images[0])
        copied = uploads.copied
        # The second was used longest ago. The engine's memory of the others goes with it.
        assert pump.told(images[2])["images"] == 1
        pump.told(images[0])
        assert uploads.copied == copied + images[2].voxels.nbytes
        pump.told(images[1])
        assert uploads.copied == copied + 2 * images[2].voxels.nbytes
        assert len(uploads._items) == MOST_VOLUMES

    def test_forgotten_ones_are_gone(self, pump):
        image = pump.image()
        assert pump.told(image)["asked"] == 1
        pump.client.forget_images()
        assert pump.client._uploads._items == {}
        assert pump.client._image is None
        assert pump.told(image)["asked"] == 1

    def test_a_mask_that_stays_the_same_is_copied_once_and_others_are_dropped(self, pump):
        image, uploads = pump.image(), pump.client._uploads
        mask = Patch(np.ones((2, 2, 2), dtype=bool), (1, 1, 1))
        pump.told(image, voxels=VoxelPrompts(occupied=mask))
        copied = uploads.copied
        pump.told(image, voxels=VoxelPrompts(mask, occupied=mask))
        assert uploads.copied == copied
        pump.told(image)
        assert len(uploads._items) == 1


class TestUploads:
    """Without a worker: what is asked of it."""

    def volume(self, key, count):
        voxels = np.zeros((2, 2, count), dtype=np.uint8)
        return Image(voxels, Geometry(np.eye(4), voxels.shape), key=key)

    def test_keep_volumes_within_its_bytes_but_always_the_one_in_use(self):
        sent = []
        uploads = ArrayUploads(sent.append)
        uploads._most_bytes = 100
        for key, count in (("a", 20), ("b", 10), ("c", 200)):
            uploads.provide([self.volume(key, count)], lambda: True)
        assert sent == [
            AllocateArray(1, (2, 2, 20), "|u1"),
            DropArray(1),
            AllocateArray(2, (2, 2, 10), "|u1"),
            DropArray(2),
            AllocateArray(3, (2, 2, 200), "|u1"),
        ]

    def test_fail_once_if_memory_is_refused_and_are_then_tried_again(self):
        sent = []
        uploads = ArrayUploads(sent.append)
        needed = [self.volume("a", 20)]
        assert not uploads.provide(needed, lambda: False)
        uploads.refused(1, OutOfMemoryError("no"))
        with pytest.raises(OutOfMemoryError):
            uploads.provide(needed, lambda: False)
        assert not uploads.provide(needed, lambda: False)
        assert sent[-1] == AllocateArray(2, (2, 2, 20), "|u1")

    def test_let_go_of_the_voxels_when_they_are_copied(self):
        uploads = ArrayUploads(lambda message: None)
        needed = [self.volume("a", 20)]
        uploads.provide(needed, lambda: False)
        uploads.allocated(1, np.empty((2, 2, 20), dtype=np.uint8))
        assert uploads.provide(needed, lambda: False)
        assert uploads._items["image", "a"].source is None

    def test_do_not_mind_memory_for_what_was_dropped(self):
        uploads = ArrayUploads(lambda message: None)
        uploads.provide([self.volume("a", 20)], lambda: False)
        uploads.drop_all()
        uploads.allocated(1, np.empty((2, 2, 20), dtype=np.uint8))
        assert not uploads.provide([self.volume("a", 20)], lambda: False)
