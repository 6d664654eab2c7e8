"""The module `SampleData`, as far as an extension registers its own data in it."""

from __future__ import annotations

import types

import slicer


class SampleDataSource:
    """One data set."""

    def __init__(self, **arguments) -> None:
        self.__dict__.update(arguments)


class SampleDataLogic:
    @staticmethod
    def registerCustomSampleDataSource(
        category="Custom",
        sampleName=None,
        uris=None,
        fileNames=None,
        nodeNames=None,
        customDownloader=None,
        thumbnailFileName=None,
        loadFileTypes=None,
        loadFiles=None,
        loadFileProperties={},  # noqa: B006  as in Slicer
        checksums=None,
        loadFileType=None,
    ) -> None:
        if loadFileType is not None:
            if loadFileTypes is not None:
                raise ValueError("loadFileType and loadFileTypes cannot be specified together")
            loadFileTypes = loadFileType
        if not hasattr(slicer.modules, "sampleDataSources"):
            slicer.modules.sampleDataSources = {}
        source = SampleDataSource(
            sampleName=sampleName,
            uris=uris,
            fileNames=fileNames,
            nodeNames=nodeNames,
            customDownloader=customDownloader,
            thumbnailFileName=thumbnailFileName,
            loadFileTypes=loadFileTypes,
            loadFiles=loadFiles,
            loadFileProperties=loadFileProperties,
            checksums=checksums,
        )
        present = slicer.modules.sampleDataSources.setdefault(category, [])
        if not any(vars(other) == vars(source) for other in present):
            present.append(source)


def python_module() -> types.ModuleType:
    module = types.ModuleType("SampleData")
    module.SampleDataLogic, module.SampleDataSource = SampleDataLogic, SampleDataSource
    return module
