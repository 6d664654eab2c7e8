"""3D networks that look at a volume through a window."""
