"""The list of models and their installation."""
