"""The version, declared once; the package, its requests and its build read it here."""

__version__ = "0.1.0"
