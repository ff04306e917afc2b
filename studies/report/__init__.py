"""The report on a store: which model is best, what its factors do, and how certain that is.

Reads the store alone. `python -m studies.report` writes it.
"""
