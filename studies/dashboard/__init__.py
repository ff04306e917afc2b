"""The studies in a browser: an overview, optuna-dashboard, and its notes and figures."""
