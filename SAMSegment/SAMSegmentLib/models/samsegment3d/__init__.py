"""SAMSegment 3D: the 3D network that was trained for this extension."""
