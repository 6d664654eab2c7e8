"""The module's panel, registration and self test."""
