"""Writes: actions, previews and guards, plans and their run, the journal, resume and undo."""
