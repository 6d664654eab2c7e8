"""Images, geometry and prompts: numpy, scipy and SimpleITK only (no Qt, VTK, Slicer or torch)."""
