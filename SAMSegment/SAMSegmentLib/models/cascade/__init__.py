"""A model made of two: one answers at once, the other draws the border where it is surer."""
