"""The search: a chain of Optuna studies for each model, driven from one process."""
