"""Classes of the host that stand for C++ classes of Slicer: PythonQt's rules hold for them too."""

from __future__ import annotations

import inspect
import weakref

from .pythonqt import qt
from .pythonqt.signals import accepted

Property = qt.Property
Signal = qt.Signal


def cpp_class(kind):
    """Marks a class as C++ in Slicer: attributes that it does not declare cannot be set."""
    kind.__cpp_class__ = True
    return kind


def keep(instance, **values) -> None:
    """Gives an object of a C++ class members, as C++ may and Python may not."""
    instance.__dict__.update(values)


def stored(kind, name: str, default):
    """A Qt property that is kept in the object and does nothing else."""
    member = f"_{name}"

    def read(self):
        return self.__dict__.get(member, default)

    def write(self, value):
        self.__dict__[member] = value

    return Property(kind, read, write)


def weak(method):
    """A bound method that does not keep its object alive, as C++ connections do not.

    Anything else is returned as it is.
    """
    if not inspect.ismethod(method):
        return method
    reference, takes = weakref.WeakMethod(method), accepted(method, 99)

    def call(*arguments):
        alive = reference()
        return alive(*arguments[:takes]) if alive else None

    return call
