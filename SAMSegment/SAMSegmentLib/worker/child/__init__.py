"""The worker's child process: torch and the engines."""
