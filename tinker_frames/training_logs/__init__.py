"""Training logs: the metrics, checkpoints and settings that runs write to folders of their own, joined to an account's checkpoints."""
