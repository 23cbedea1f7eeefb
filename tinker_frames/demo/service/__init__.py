"""How the demo server answers: the routes of each dialect, and what their JSON looks like."""
