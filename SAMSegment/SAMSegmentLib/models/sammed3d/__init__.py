"""SAM-Med3D: a 3D network that takes points and its own mask before."""
