"""The module `slicer.packaging`, without pip: what would be installed is handed to `install`."""

from __future__ import annotations

import importlib.metadata
import types
from pathlib import Path

import slicer
from packaging.requirements import Requirement


def load_requirements(path) -> list[Requirement]:
    lines = (line.strip() for line in Path(path).read_text().splitlines())
    return [Requirement(line) for line in lines if line and line[0] not in "#-"]


def pip_check(req) -> bool:
    return all(_is_met(one) for one in _requirements(req))


def pip_install(
    requirements,
    constraints=None,
    no_deps_requirements=None,
    skip_packages=None,
    blocking=True,
    show_progress=True,
    requester=None,
    logCallback=None,
    completedCallback=None,
):
    """Nothing is installed in tests: replace it to say what would be there afterwards."""
    raise RuntimeError(f"pip is not run here: {requirements}")


def pip_ensure(
    requirements,
    constraints=None,
    skip_packages=None,
    prompt_install=True,
    prompt_restart=True,
    requester=None,
    skip_in_testing=True,
    show_progress=True,
):
    # By way of the module, as there: whoever replaces one function replaces it for the others.
    import slicer.packaging as module

    missing = [str(one) for one in _requirements(requirements) if not module.pip_check(one)]
    if not missing or (skip_in_testing and slicer.app.testingEnabled()):
        return None
    if prompt_install and not slicer.util.confirmOkCancelDisplay(
        f"{len(missing)} Python packages need to be installed.",
        f"{requester} - Install Python Packages",
        detailedText="\n".join(missing),
    ):
        raise RuntimeError("User declined package installation")
    return module.pip_install(missing, blocking=True, requester=requester)


def _requirements(given) -> list[Requirement]:
    if isinstance(given, str | Requirement):
        given = [given]
    return [Requirement(one) if isinstance(one, str) else one for one in given]


def _is_met(requirement: Requirement) -> bool:
    if requirement.marker is not None and not requirement.marker.evaluate():
        return True
    try:
        return importlib.metadata.version(requirement.name) in requirement.specifier
    except importlib.metadata.PackageNotFoundError:
        return False


def python_module() -> types.ModuleType:
    module = types.ModuleType("slicer.packaging")
    for function in (load_requirements, pip_check, pip_install, pip_ensure):
        setattr(module, function.__name__, function)
    return module
