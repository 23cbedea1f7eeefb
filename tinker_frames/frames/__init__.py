"""Any frame: query it, print it, write it to a file and read it back."""
