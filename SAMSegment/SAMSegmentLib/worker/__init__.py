"""Where models run: `client` asks, `server` holds torch and answers."""
