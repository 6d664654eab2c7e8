"""The Python packages that models need: which are missing, and how they get there.

Nothing is installed unless the user presses a button and agrees, and nothing is imported to find
out. PyTorch comes through Slicer's extension PyTorch, which chooses the build for the computer's
graphics card; the others through `slicer.packaging`.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import sys
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from ...core.errors import MissingPackageError

#: The least version that models run with, as in pyproject.toml.
TORCH = ">=2.4"
REQUIREMENTS = Path(__file__).parents[3] / "Resources" / "requirements.txt"
NAME = "SAM Segment"


def version_of(package: str) -> str | None:
    """The version of an installed package, "" if it is unknown; None if it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        pass
    # What Slicer is built with may be unknown to pip.
    try:
        if package in sys.modules or importlib.util.find_spec(package) is not None:
            return str(getattr(sys.modules.get(package), "__version__", ""))
    except (ImportError, ValueError):
        pass
    return None


def missing() -> list[str]:
    """Requirements that are not met, as pip writes them; torch first."""
    packaging = _packaging()
    others = packaging.load_requirements(REQUIREMENTS)
    wanted = [f"torch{TORCH}", *(str(one) for one in others)]
    return [requirement for requirement in wanted if not packaging.pip_check(requirement)]


def install_missing() -> bool:
    """Installs all that is missing, after asking once; False if the user declines.

    Blocks, for minutes if PyTorch is missing: neither of the two ways can do otherwise.

    Raises:
        MissingPackageError: if the extension PyTorch is missing, or a package is still not there.
    """
    wanted = missing()
    needs_torch = f"torch{TORCH}" in wanted
    if not wanted:
        return True
    if needs_torch and not can_install_torch():
        raise MissingPackageError(
            _(
                "The extension PyTorch installs it: in the Extensions Manager (View menu) install"
                " PyTorch, restart Slicer, and press this button again."
            )
        )
    if not slicer.util.confirmOkCancelDisplay(_confirmation_text(wanted), NAME):
        return False
    before = _loaded_versions()
    if others := [requirement for requirement in wanted if requirement != f"torch{TORCH}"]:
        _packaging().pip_ensure(others, prompt_install=False, prompt_restart=False, requester=NAME)
    if needs_torch:
        utils = importlib.import_module("PyTorchUtils")
        utils.PyTorchUtilsLogic().installTorch(torchVersionRequirement=TORCH)
    importlib.invalidate_caches()
    if still := missing():
        raise MissingPackageError(
            _("{packages} was not installed. The Python console tells why.").format(
                packages=", ".join(still)
            )
        )
    _offer_restart(before)
    return True


def can_install_torch() -> bool:
    """Whether Slicer's PyTorch extension is there."""
    # A module that Slicer has loaded by itself may have no spec, which find_spec cannot stand.
    return "PyTorchUtils" in sys.modules or importlib.util.find_spec("PyTorchUtils") is not None


def _packaging():
    # Slicer does not import it by itself: without this, `slicer` has no such attribute.
    import slicer.packaging

    return slicer.packaging


def _confirmation_text(wanted: list[str]) -> str:
    lines = [f"- {requirement}" for requirement in wanted]
    if f"torch{TORCH}" in wanted:
        lines[0] += _(
            " (PyTorch, by the extension PyTorch: a download of 0.2 GB, or up to 3 GB for a"
            " graphics card. It takes minutes, in which Slicer does not respond.)"
        )
    heading = _("SAM Segment needs these Python packages, which will be installed into Slicer:")
    return "\n".join([heading, "", *lines, "", _("Continue?")])


def _loaded_versions() -> dict[str, str]:
    """Of all distributions that are imported here, by name."""
    names = importlib.metadata.packages_distributions()
    loaded = {name for module in {*sys.modules} & {*names} for name in names[module]}
    return {name: version for name in loaded if (version := version_of(name)) is not None}


def _offer_restart(before: dict[str, str]) -> None:
    """Only if a package that is in use here was replaced: the model's process loads its own."""
    replaced = [name for name, version in before.items() if version_of(name) != version]
    if replaced and slicer.util.confirmYesNoDisplay(
        _(
            "{packages} was in use while it was replaced. Restart Slicer now? Save your work first."
        ).format(packages=", ".join(sorted(replaced))),
        NAME,
    ):
        slicer.util.restart()
