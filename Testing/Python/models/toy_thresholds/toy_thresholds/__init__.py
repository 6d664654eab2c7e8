"""An automatic architecture as small as can be; another package brings its own like this."""
