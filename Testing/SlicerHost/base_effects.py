"""The Python package `SegmentEditorEffects`: the base class of scripted effects."""

from __future__ import annotations

import types

import slicer

from .pythonqt import qt


class AbstractScriptedSegmentEditorEffect:
    """Base of effects written in Python; `scriptedEffect` is the adaptor."""

    def __init__(self, scriptedEffect) -> None:
        self.scriptedEffect = scriptedEffect

    def register(self) -> None:
        slicer.qSlicerSegmentEditorEffectFactory.instance().registerEffect(self.scriptedEffect)

    def cleanup(self) -> None:
        pass

    def rasToXy(self, ras, viewWidget):
        point = self.scriptedEffect.rasToXy(qt.QVector3D(*ras), viewWidget)
        return [point.x(), point.y()]

    def xyzToRas(self, xyz, viewWidget):
        return _numbers(self.scriptedEffect.xyzToRas(qt.QVector3D(*xyz), viewWidget))

    def xyToRas(self, xy, viewWidget):
        return _numbers(self.scriptedEffect.xyToRas(qt.QPoint(*xy), viewWidget))

    def xyzToIjk(self, xyz, viewWidget, image, parentTransformNode=None):
        vector = qt.QVector3D(*xyz)
        ijk = self.scriptedEffect.xyzToIjk(vector, viewWidget, image, parentTransformNode)
        return [int(n) for n in _numbers(ijk)]

    def xyToIjk(self, xy, viewWidget, image, parentTransformNode=None):
        point = qt.QPoint(*xy)
        ijk = self.scriptedEffect.xyToIjk(point, viewWidget, image, parentTransformNode)
        return [int(n) for n in _numbers(ijk)]


def _numbers(vector) -> list[float]:
    return [vector.x(), vector.y(), vector.z()]


def python_module() -> types.ModuleType:
    module = types.ModuleType("SegmentEditorEffects")
    module.AbstractScriptedSegmentEditorEffect = AbstractScriptedSegmentEditorEffect
    return module
