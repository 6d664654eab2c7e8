"""Which models there are, where their weights lie, and whether they are what they should be."""
