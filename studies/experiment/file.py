"""Read the experiment that a user's file defines."""

import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType

import cloudpickle

from studies.display.errors import UsageError
from studies.experiment.definition import Experiment
from studies.experiment.options import Definition, ExperimentFunction
from studies.experiment.source import module_file


def load(path: str) -> Definition:
    """Return the `experiment` of a Python file: an Experiment, or a function that makes one.

    The file, and modules of its folder that it imports, travel to workers by value. Raises
    UsageError, in one sentence, for a file that defines none.
    """
    file = Path(path)
    module = _run(file)
    experiment = getattr(module, "experiment", None)
    if isinstance(experiment, Experiment | ExperimentFunction):
        return experiment
    if experiment is None:
        raise UsageError(f"{path} defines no `experiment`: give it one, see `studies.Experiment`")
    if callable(experiment):
        return ExperimentFunction(experiment)
    raise UsageError(f"`experiment` in {path} is {experiment!r}, no Experiment")


def _run(file: Path) -> ModuleType:
    """Return a file's module, as if it had been imported."""
    if not file.is_file():
        raise UsageError(f"no file {file}: give the Python file that defines the experiment")
    path = file.resolve()
    name = file.stem if file.stem.isidentifier() else "_defined"
    # One that was read before, as a notebook does, is read again.
    if getattr(sys.modules.get(name), "__file__", str(path)) != str(path):
        name = "_defined"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{file} is no Python file: give one whose name ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    # What lies beside a file can be imported, as it can where Python runs a file.
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        line = f", line {error.lineno}" if error.lineno else ""
        is_own = error.filename is None or Path(error.filename) == path
        raise UsageError(f"{file if is_own else error.filename}{line}: {error.msg}") from None
    except (Exception, SystemExit) as error:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if Path(frame.filename) == path]
        line = f", line {lines[-1]}" if lines else ""
        kind = "" if isinstance(error, UsageError) else f"{type(error).__name__}: "
        reason = f"{kind}{error}".partition("\n")[0]
        raise UsageError(f"{file}{line}: {reason}") from None
    for beside in list(sys.modules.values()):
        place = getattr(beside, "__file__", None) or ""
        is_near = place.startswith(str(path.parent))
        if is_near and Path(place) == module_file(path.parent, beside.__name__):
            cloudpickle.register_pickle_by_value(beside)
    cloudpickle.register_pickle_by_value(module)
    return module
