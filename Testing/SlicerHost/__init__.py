"""Slicer without a window, for tests: see README.md."""
