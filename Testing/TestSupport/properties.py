"""How many examples a property is tried on.

`make test` draws the same few each time, so that it does not depend on luck; `make properties`
draws new ones, thousands for each property.
"""

from __future__ import annotations

import os

from hypothesis import settings

#: Examples in `make test`, where a property does not ask for another number.
USUAL = 50
#: Examples in `make properties`, for each property.
MANY = int(os.environ.get("SAMSEGMENT_EXAMPLES", "5000"))
#: The profile of `make properties`.
THOROUGH = "thorough"


def register() -> None:
    """Makes both profiles known to hypothesis, and takes the usual one."""
    # Timed tests on a busy machine fail for no reason.
    settings.register_profile(
        "usual", deadline=None, derandomize=True, database=None, max_examples=USUAL
    )
    settings.register_profile(
        THOROUGH, deadline=None, derandomize=False, max_examples=MANY, print_blob=True
    )
    settings.load_profile("usual")


def examples(usual: int) -> int:
    """For `@settings(max_examples=examples(12))`: so many in `make test`, all in `make properties`.

    A bare number would also hold there.
    """
    return MANY if settings.get_current_profile_name() == THOROUGH else usual
