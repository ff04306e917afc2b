"""The store: Optuna's tables, ours beside them, and the views that people query.

It knows no sibling package. Reading (`storage.queries`) loads neither Optuna nor torch.
"""
