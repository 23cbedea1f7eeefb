"""Tests in a real browser: widgets on a blank page (`host`), and notebooks in JupyterLab (`lab`)."""
