"""What both processes of the worker know: the channel and its messages."""
