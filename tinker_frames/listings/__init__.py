"""Every page of a table, proved complete, as a typed frame; and the joins between tables."""
