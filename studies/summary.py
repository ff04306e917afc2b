"""Results in a terminal: ours, with the paper's beside them."""

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from storage.errors import place, without_secrets
from storage.queries import BestParams, ModelResult, best_params, model_results
from storage.reader import open_reader
from studies.paper import PAPER
from studies.protocol import DEFAULT_STORAGE
from studies.wording import plus_minus


def show_results(
    storage: str,
    experiment: str | None,
    models: Sequence[str],
    artifact_dir: Path | None = None,
) -> None:
    """Print the winners and results of some models, and how to see more of them.

    Raises StoreError where the store cannot be read.
    """
    winners, results = ordered_results(storage, experiment, models)
    print(*_table(winners, results), sep="\n")
    print(f"Watch:  {_dashboard(storage, artifact_dir)}\nQuery:  {_query(storage)}")


def ordered_results(
    storage: str, experiment: str | None, models: Sequence[str]
) -> tuple[list[BestParams], dict[tuple[str, str], ModelResult]]:
    """Return the winners of some models, by experiment in the paper's order; results by both.

    A model that was rerun without a search is there with the settings of its reruns.

    Raises StoreError where the store cannot be read.
    """
    engine = open_reader(storage)
    try:
        winners = best_params(engine, experiment)
        results = {
            (each.experiment, each.model): each for each in model_results(engine, experiment)
        }
    finally:
        engine.dispose()
    searched = {(each.experiment, each.model) for each in winners}
    winners += [
        BestParams(*name, result.learning_rate, result.batch_size, result.alpha, None, None, 0)
        for name, result in results.items()
        if name not in searched
    ]
    order = list(PAPER)
    winners = [each for each in winners if each.model in models]
    winners.sort(key=lambda each: (each.experiment, order.index(each.model)))
    return winners, results


def _table(winners: list[BestParams], results: dict[tuple[str, str], ModelResult]) -> Iterator[str]:
    """Lines of aligned columns; rich takes as long for hundreds of them as all else together."""
    several = len({each.experiment for each in winners}) > 1
    names = ["experiment"] * several + ["model"]
    numbers = ("learning rate", "batch", "alpha", "searched", "accuracy", "paper", "seconds")
    rows = [(*names, *numbers, "paper")]
    for best in winners:
        result, published = results.get((best.experiment, best.model)), PAPER[best.model]
        rows.append(
            (
                *[best.experiment] * several,
                best.model,
                f"{best.learning_rate:g}",
                str(best.batch_size),
                "-" if best.alpha is None else f"{best.alpha:g}",
                "" if best.mean_accuracy is None else f"{best.mean_accuracy:.4f}",
                plus_minus(result.mean_accuracy, result.std_accuracy, 3) if result else "",
                plus_minus(published.accuracy, published.accuracy_deviation, 3),
                _seconds(result) if result else "",
                plus_minus(published.seconds, published.seconds_deviation, 1),
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            cell.ljust(width) if place < len(names) else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells)


def _seconds(result: ModelResult) -> str:
    if result.mean_train_seconds is None:
        return ""
    return plus_minus(result.mean_train_seconds, result.std_train_seconds, 2)


def _dashboard(storage: str, artifact_dir: Path | None) -> str:
    """The command that shows this store, but for its password."""
    words = ["python", "-m", "studies.dashboard"]
    if storage != DEFAULT_STORAGE:
        words += ["--storage", without_secrets(storage)]
    if artifact_dir is not None:
        words += ["--artifact-dir", str(artifact_dir)]
    return shlex.join(words)


def _query(storage: str) -> str:
    if storage.startswith("sqlite"):
        shell, store = "sqlite3", place(storage)
    else:
        # The name of Python's driver says nothing to psql.
        shell, store = "psql", without_secrets(storage).replace("+psycopg", "")
    return f'{shell} {shlex.quote(store)} "select * from best_params"'
