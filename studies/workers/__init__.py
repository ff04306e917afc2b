"""The workers that train: processes on this machine, or a Dask cluster that the user runs."""
