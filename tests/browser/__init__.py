"""Tests in a real browser: widgets on a blank page (`stage`), and notebooks in JupyterLab (`lab`)."""
