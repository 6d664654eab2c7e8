"""3D networks that see a volume window by window."""
