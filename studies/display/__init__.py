"""How commands show a run and its results: progress, tables, words, and how a command ends."""
