"""Whatever moves, is hardened, edited or stored, in any order: prompts that come back are right."""

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from SAMSegmentLib.core.prompts import Point, Prompts
from SAMSegmentLib.scene.prompt_frame import PromptStatus
from SAMSegmentLib.scene.prompt_store import StoredPrompts, restore, store
from SAMSegmentLib.scene.segments import own_voxels
from SlicerHost.scene import HeadlessScene
from SlicerHost.scene_builder import SceneBuilder, world_of, world_positions
from TestSupport.editor_user import User
from TestSupport.geometries import linear_transforms
from TestSupport.properties import examples
from TestSupport.scene_answers import geometry_of

pytestmark = pytest.mark.mrml
#: Voxels (i, j, k) of the volume under the prompts.
INDICES = np.array([(12.0, 14, 10), (3.25, 5.5, 7)])
BOTH = st.sampled_from([("volume",), ("segmentation",), ("volume", "segmentation")])


class Moves(RuleBasedStateMachine):
    """A segment with prompts, a volume, and all that may happen to them."""

    def __init__(self) -> None:
        super().__init__()
        self.host = HeadlessScene()
        self.user = User(SceneBuilder(self.host))
        self.id = self.user.write(0.45)
        self.place()

    def teardown(self) -> None:
        self.host.close()

    @property
    def there(self) -> Prompts:
        """The prompts at their voxels, wherever the volume lies."""
        world = geometry_of(self.user.volume).transformed(world_of(self.user.volume))
        return Prompts(points=tuple(Point(tuple(ras)) for ras in world.to_ras(INDICES)))

    def restored(self) -> StoredPrompts:
        return restore(self.user.segmentation, self.id, self.user.volume)

    def content(self) -> tuple:
        patch = own_voxels(self.user.segmentation, self.id)
        return patch.values.shape, patch.values.tobytes()

    def offset(self) -> np.ndarray:
        """Voxel of the volume, continuous, in which the middle of the segment lies."""
        world = geometry_of(self.user.volume).transformed(world_of(self.user.volume))
        positions = world_positions(self.user.segmentation, self.id)
        return world.to_ijk(positions.mean(axis=0))

    @rule()
    def place(self) -> None:
        """The user places the prompts."""
        store(self.user.segmentation, self.id, StoredPrompts(self.there), self.user.volume)
        self.content_then, self.offset_then = self.content(), self.offset()

    @rule(matrix=linear_transforms(), names=BOTH)
    def move(self, matrix, names) -> None:
        top = self.user.builder.transform(matrix)
        for name in names:
            getattr(self.user, name).SetAndObserveTransformNodeID(top.GetID())

    @rule(names=BOTH)
    def harden(self, names) -> None:
        for name in names:
            getattr(self.user, name).HardenTransform()

    @rule(names=BOTH)
    def leave_the_transform(self, names) -> None:
        for name in names:
            getattr(self.user, name).SetAndObserveTransformNodeID(None)

    @rule(place=st.sampled_from([0.4, 0.45]))
    def edit(self, place) -> None:
        self.user.alter(self.id, place)

    @invariant()
    def what_comes_back_is_right(self) -> None:
        kept = self.restored()
        unchanged = self.content() == self.content_then
        in_place = np.abs(self.offset() - self.offset_then).max() < 1e-6
        if unchanged and in_place:
            assert not kept.status.is_stale
        if not unchanged:
            assert kept.status is PromptStatus.EDITED
        if not kept.status.is_stale:
            expected = np.array([point.ras for point in self.there.points])
            found = np.array([point.ras for point in kept.prompts.points])
            spacing = geometry_of(self.user.volume).transformed(world_of(self.user.volume)).spacing
            assert np.abs(found - expected).max() < 0.05 * spacing.min()


TestMoves = Moves.TestCase
TestMoves.settings = settings(max_examples=examples(15), stateful_step_count=12)
