"""Models behind one interface: preprocessing, encode, decode."""
