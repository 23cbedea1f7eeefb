"""The routes of each dialect, and the JSON that they return."""
