"""Run in Slicer with SAMSegment/ on the module path: runs the module's self tests and leaves."""

import traceback

import slicer
import slicer.testing

try:
    slicer.testing.runUnitTest([], "SAMSegment")
    status = 0
except Exception:
    traceback.print_exc()
    status = 1
slicer.util.exit(status)
