"""Query, print, write and read back any frame."""
