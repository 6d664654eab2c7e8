"""2D networks, carried to 3D slice by slice."""
