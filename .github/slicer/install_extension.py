"""Run in Slicer: installs the PyTorch extension and leaves."""

import slicer

model = slicer.app.extensionsManagerModel()
model.interactive = False
installed = model.installExtensionFromServer("PyTorch", False)  # False: no restart
print("The PyTorch extension was installed" if installed else "The PyTorch extension is missing")
slicer.util.exit(0 if installed else 1)
