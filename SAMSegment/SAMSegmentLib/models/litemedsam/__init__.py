"""LiteMedSAM: a 2D network that takes boxes."""
