"""Loads, once for all lives that are forked from it, what a driver loads."""

import gc
from tempfile import TemporaryDirectory

import optuna_dashboard  # noqa: F401
import pytest  # noqa: F401

import tests.faults.lives
import tests.support.runs  # noqa: F401
from storage.store import open_store
from studies.search.provenance import provenance
from studies.workers.versions import versions

provenance()
versions()
# Much is loaded, and prepared, with the first store.
with TemporaryDirectory() as folder, open_store(f"sqlite:///{folder}/studies.db"):
    pass

# Else each life looks through all of this again for garbage.
gc.freeze()
