"""Run in Slicer, after install_extension.py: installs PyTorch for the processor and leaves."""

import traceback

import slicer

try:
    import PyTorchUtils

    torch = PyTorchUtils.PyTorchUtilsLogic().installTorch(
        askConfirmation=False, forceComputationBackend="cpu"
    )
    print(f"PyTorch {torch.__version__}")
    status = 0
except Exception:
    traceback.print_exc()
    status = 1
slicer.util.exit(status)
