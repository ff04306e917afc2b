"""kill -9 just before and just after each commit, and again during the recovery."""

import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random

import pytest
from safetensors.numpy import load_file

from studies.display.errors import UsageError
from studies.weights import stored_weights
from studies.workers.job import cores
from tests.faults import at_commits, lives
from tests.faults.invariants import Results, ask, violations
from tests.support.standin import StandIn

NEVER = 0
WEIGHTS = """
select count(*) from trials natural join trial_system_attributes
where key like 'artifacts:%' and state = 'COMPLETE'
"""


def live(folders: Sequence[Path], lasts: Sequence[int]) -> list[int | None]:
    """One life in each folder, side by side, till the moment given for it; their exit codes."""
    side_by_side = [
        lives.begin(folder, at_commits.live, folder, StandIn(folder), last)
        for folder, last in zip(folders, lasts, strict=True)
    ]
    for life, folder in zip(side_by_side, folders, strict=True):
        life.join()
        assert life.exitcode in (0, -signal.SIGKILL), (folder / "log").read_text()
    return [life.exitcode for life in side_by_side]


@pytest.fixture(scope="module")
def moments(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, Results]:
    """The moments around all commits of the study, and what it leaves."""
    folder = tmp_path_factory.mktemp("moments")
    assert live([folder], [NEVER]) == [0]
    results = Results.of(folder / "studies.db")
    assert len(results.trainings) == 2 * 2 + 1
    return int((folder / "moments").read_text()), results


def begun(folder: Path) -> int:
    return len(StandIn(folder).jobs("begin"))


def wrong_after_kills(
    folders: Sequence[Path], firsts: Sequence[int], moments: int, whole: Results
) -> Iterator[str]:
    """Kill at a moment of the study and at one of its recovery, then let it end."""
    if set(live(folders, firsts)) != {-signal.SIGKILL}:
        yield "it was not killed"
    live(folders, [Random(first).randint(1, moments + 1 - first) for first in firsts])
    for time in ("it", "running again"):
        before = [begun(folder) for folder in folders]
        if set(live(folders, [NEVER] * len(folders))) != {0}:
            yield f"{time} did not end"
        for folder in folders:
            yield from violations(folder / "studies.db", whole)
            try:
                stored = stored_weights("MLP", f"sqlite:///{folder / 'studies.db'}")
                learned = load_file(stored.path)
            except UsageError as error:
                yield str(error)
            else:
                if learned != {"seed": 10}:
                    yield f"weights: {learned}"
            named = ask(folder / "studies.db", WEIGHTS)
            if named != [(1,)]:
                yield f"complete reruns that name their weights: {named}"
    if [begun(folder) for folder in folders] != before:
        yield "running again trained again"
    # Three jobs; each of two kills repeats no more than the two in flight.
    if max(before) > 3 + 2 * 2:
        yield f"{max(before)} jobs"


@pytest.mark.slow
@pytest.mark.parametrize("step", [1])
def test_at_each_commit(
    step: int, in_memory: Path, moments: tuple[int, Results], reported: Callable[[str], None]
) -> None:
    last, whole = moments
    assert last > 100, "a commit for each trial's beginning and end, and for trainings"
    kills = range(1, last + 1, step)
    wrong: list[str] = []
    for batch in (kills[start : start + cores()] for start in range(0, len(kills), cores())):
        folders = [in_memory / str(first) for first in batch]
        for folder in folders:
            folder.mkdir()
        found = wrong_after_kills(folders, batch, last, whole)
        wrong += [f"at one of {list(batch)}: {each}" for each in found]
    reported(
        f"at each commit: killed at {len(kills)} of the {last} moments before and after one, and "
        f"again in each recovery, {len(wrong)} violations"
    )
    assert wrong == []
