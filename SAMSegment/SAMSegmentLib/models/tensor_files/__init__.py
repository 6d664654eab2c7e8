"""Reads files of tensors: plain numbers only, whatever a file says of itself, and no code run."""
