"""Ended before any of its operations on files, an installation leaves the old state or the new."""

import json
import os
import subprocess
import sys

import pytest

from TestSupport.killed_installations import ACTIONS, BEFORE

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@pytest.fixture(scope="module")
def outcomes():
    """What was found, see TestSupport.killed_installations."""
    command = [sys.executable, "-m", "TestSupport.killed_installations"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_every_action_was_ended_at_every_operation(outcomes):
    assert {(action, before) for action, before, *_ in outcomes} == {
        (action, before) for action in ACTIONS for before in BEFORE
    }
    # Fewer would mean that the operations were not seen.
    assert len(outcomes) > 150


def test_what_was_right_is_right_until_it_is_removed(outcomes):
    for action, before, number, first, then, _, _ in outcomes:
        if first == "good" and action != "remove":
            assert then == "good", (action, before, number)


def test_what_was_missing_is_missing_or_right_but_never_wrong(outcomes):
    for action, before, number, first, then, _, _ in outcomes:
        if first == "none":
            assert then in ("none", "good"), (action, before, number)


def test_done_again_it_is_done_and_leaves_nothing_over(outcomes):
    for action, before, number, _, _, finally_, left_over in outcomes:
        wanted = "none" if action == "remove" else "good"
        assert (finally_, left_over) == (wanted, []), (action, before, number)
