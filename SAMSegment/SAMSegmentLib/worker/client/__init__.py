"""Asks the worker; without torch."""
