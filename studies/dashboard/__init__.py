"""The studies in a browser: optuna-dashboard, and the notes and figures that it shows."""
