"""Run in Slicer with SAMSegment/ on the module path: leaves in the middle of a prediction.

Slicer must then end with status 0, and the model's process with it.
"""

import traceback

import slicer

try:
    from SAMSegmentLib.ui.module.self_test import begin_to_predict

    begin_to_predict()
    status = 0
except Exception:
    traceback.print_exc()
    status = 1
slicer.util.exit(status)
