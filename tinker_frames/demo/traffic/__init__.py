"""What goes wrong on purpose, and what the server saw."""
