"""The report on a store: what weight sharing and an auxiliary loss do, with its uncertainty.

Reads the store alone. `python -m studies.report` writes it.
"""
