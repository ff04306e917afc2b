"""A search that is to be interrupted, what it leaves when it is not, and a table of the faults."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.faults import lives
from tests.faults.dask_processes import scheduler, worker
from tests.faults.invariants import Results, violations
from tests.support.standin import StandIn
from tests.support.terminal import Terminal

SEARCH = ("SiameseMLP", "AuxsiameseMLP", "--epochs", "2", "--repeats", "2", "--reruns", "2")
"""64 trainings in five studies of two chains, which share those of their first stages."""


@pytest.fixture(scope="session")
def search() -> tuple[str, ...]:
    """A small search."""
    return SEARCH


@pytest.fixture(scope="session")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a cluster with two workers that outlives its drivers."""
    folder = tmp_path_factory.mktemp("dask")
    with scheduler(folder) as (address, _), worker(address, folder, count=2):
        yield address


@pytest.fixture(scope="session")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory, cache: Path, dask: str) -> Results:
    """What the search leaves, done in one go."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    life = lives.begin(folder, lives.run, StandIn(folder), cache, *SEARCH, "--cluster", dask)
    life.join()
    assert life.exitcode == 0, (folder / "log").read_text()
    results = Results.of(folder / "studies.db")
    assert len(results.trainings) == 20 * 2 + 10 * 2 + 2 * 2
    assert len(results.complete) == 20 + 2 + 20 + 11 + 2
    return results


@pytest.fixture
def terminal(tmp_path: Path, cache: Path) -> Iterator[Terminal]:
    with closing(Terminal(tmp_path, cache)) as opened:
        yield opened


@pytest.fixture
def in_memory(tmp_path: Path) -> Iterator[Path]:
    """A folder that no disk slows down, where there is memory for it: what a process has written
    survives it, on disk or not."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as folder:
        yield Path(folder)


@pytest.fixture
def finish(
    cache: Path, dask: str, search: tuple[str, ...], uninterrupted: Results
) -> Callable[[Path, StandIn], list[str]]:
    """Let the search in a folder come to its end; what is wrong with what it leaves."""

    def run(folder: Path, standin: StandIn) -> Iterator[str]:
        life = lives.begin(folder, lives.run, standin, cache, *search, "--cluster", dask)
        life.join()
        if life.exitcode != 0:
            yield (folder / "log").read_text()
        yield from violations(folder / "studies.db", uninterrupted)

    def to_its_end(folder: Path, standin: StandIn) -> list[str]:
        wrong = list(run(folder, standin))
        begun = len(standin.jobs("begin"))
        wrong += run(folder, standin)
        if len(standin.jobs("begin")) > begun:
            wrong.append("running again trained again")
        return wrong

    return to_its_end


@pytest.fixture
def reported(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Take what was injected and what came of it, for the table at the end."""
    return lambda line: record_property("fault", line)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents and item.get_closest_marker("slow"):
            # Many repetitions, and perhaps on a busy machine.
            item.add_marker(pytest.mark.timeout(1800))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    lines = [
        str(value)
        for outcome in ("passed", "failed") for report in terminalreporter.getreports(outcome)
        for name, value in report.user_properties if name == "fault"
    ]  # fmt: skip
    if lines:
        terminalreporter.section("faults")
        for line in lines:
            terminalreporter.write_line(line)
