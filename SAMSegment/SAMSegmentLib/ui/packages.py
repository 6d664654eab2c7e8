"""The Python packages that models need: whether they are installed, and how they get there.

Nothing is installed unless the user presses a button, and nothing is imported to find out.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import sys

import slicer
from slicer.i18n import tr as _

from ..core.errors import MissingPackageError

#: The least versions that models run with, as in pyproject.toml.
TORCH, SAFETENSORS = ">=2.4", ">=0.4"
NAME = "SAM Segment"


def version_of(package: str) -> str | None:
    """The version of an installed package, "" if it does not tell; None if it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        pass
    try:
        if package in sys.modules or importlib.util.find_spec(package) is not None:
            return str(getattr(sys.modules.get(package), "__version__", ""))
    except (ImportError, ValueError):
        pass
    return None


def can_install_torch() -> bool:
    """Whether Slicer's PyTorch extension is there."""
    # A module that Slicer has loaded by itself may have no spec, which find_spec cannot stand.
    return "PyTorchUtils" in sys.modules or importlib.util.find_spec("PyTorchUtils") is not None


def install_torch() -> None:
    """Installs PyTorch through Slicer's PyTorch extension, which asks the user first.

    Raises:
        MissingPackageError: if the extension is missing, or PyTorch is still not there.
    """
    if not can_install_torch():
        raise MissingPackageError(
            _(
                "The extension PyTorch installs it: in the Extensions Manager (View menu) install"
                " PyTorch, restart Slicer, and press this button again."
            )
        )
    utils = importlib.import_module("PyTorchUtils")
    utils.PyTorchUtilsLogic().installTorch(askConfirmation=True, torchVersionRequirement=TORCH)
    _check_installed("torch")


def install_safetensors() -> None:
    """Installs the package that reads weights files; Slicer asks the user first.

    Raises:
        MissingPackageError: if it is still not there.
    """
    requirement = f"safetensors{SAFETENSORS}"
    if hasattr(slicer, "packaging"):
        try:
            slicer.packaging.pip_ensure(requirement, requester=NAME)
        except RuntimeError:  # the user has declined
            return
    elif slicer.util.confirmOkCancelDisplay(
        _("The Python package safetensors will be installed into Slicer. Continue?")
    ):
        slicer.util.pip_install(requirement)
    else:
        return
    _check_installed("safetensors")


def _check_installed(package: str) -> None:
    importlib.invalidate_caches()
    if version_of(package) is None:
        raise MissingPackageError(
            _("{package} was not installed. The Python console tells why.").format(package=package)
        )
