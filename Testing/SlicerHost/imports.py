"""Python modules of Slicer that are made when they are first imported, and not before."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
import types
from collections.abc import Callable


class Modules(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds modules by name, as if they were files on Slicer's Python path.

    `import slicer.packaging` makes `packaging` an attribute of `slicer`; before, there is none.

    Args:
        makers: makes each module, by its full name.
    """

    def __init__(self, makers: dict[str, Callable[[], types.ModuleType]]) -> None:
        self._makers = makers

    def find_spec(self, name, path=None, target=None):
        return importlib.machinery.ModuleSpec(name, self) if name in self._makers else None

    def create_module(self, spec):
        return self._makers[spec.name]()

    def exec_module(self, module) -> None:
        """The maker has done it."""

    def install(self) -> None:
        """They can be imported from now on."""
        self._forget()
        sys.meta_path.insert(0, self)

    def uninstall(self) -> None:
        """They cannot any more, and those that were imported are gone."""
        sys.meta_path.remove(self)
        self._forget()

    def _forget(self) -> None:
        for name in self._makers:
            sys.modules.pop(name, None)
            parent, _, attribute = name.rpartition(".")
            if parent in sys.modules:
                vars(sys.modules[parent]).pop(attribute, None)
