"""Tables for LaTeX with booktabs: settings and results, ours beside what is published."""

from collections.abc import Mapping, Sequence

from studies.display.words import plus_minus, value_text
from studies.report.runs import ModelRun

_SIGNS = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}  # fmt: skip


def latex_tables(runs: Mapping[str, ModelRun]) -> bytes:
    """Return a file of two tables: the parameters of the models, and what reruns gave."""
    tables = (_settings(list(runs.values())), _results(list(runs.values())))
    return "\n".join([r"% Needs \usepackage{booktabs}.", *tables]).encode()


def _settings(runs: Sequence[ModelRun]) -> str:
    names = list(dict.fromkeys(name for run in runs for name in run.result.parameters))
    groups = {"ours": [[_value(run.result.parameters, name) for name in names] for run in runs]}
    if any(run.published for run in runs):
        of_paper = [run.published.get("parameters", {}) for run in runs]
        groups["published"] = [[_value(known, name) for name in names] for known in of_paper]
    return _table("Parameters of each model.", "parameters", runs, names, groups)


def _value(parameters: Mapping[str, int | float | str], name: str) -> str:
    return _text(value_text(parameters[name])) if name in parameters else "--"


def _results(runs: Sequence[ModelRun]) -> str:
    objective = runs[0].objective
    groups = {
        "ours": [
            [
                _figure(run.result.mean, run.result.deviation, 3),
                _figure(run.result.mean_seconds, run.result.deviation_seconds, 2),
            ]
            for run in runs
        ]
    }
    if any(run.published for run in runs):
        groups["published"] = [
            [
                _figure(known.get("mean"), known.get("deviation"), 3),
                _figure(known.get("seconds"), known.get("seconds_deviation"), 1),
            ]
            for known in (run.published for run in runs)
        ]
    what = f"Test {_text(objective)} and training seconds"
    caption = f"{what}, mean $\\pm$ standard deviation of the reruns."
    return _table(caption, "results", runs, [objective, "seconds"], groups)


def _figure(mean: float | None, deviation: float | None, digits: int) -> str:
    if mean is None:
        return "--"
    return f"${plus_minus(mean, deviation, digits).replace('±', chr(92) + 'pm')}$"


def _table(
    caption: str, label: str, runs: Sequence[ModelRun], titles: Sequence[str],
    groups: Mapping[str, Sequence[Sequence[str]]],
) -> str:  # fmt: skip
    """Return a table with a group of columns for ours, and one for what is published."""
    width = len(titles)
    lines = [
        r"\begin{table}",
        r"  \centering",
        f"  \\caption{{{caption}}}",
        f"  \\label{{tab:{label}}}",
        f"  \\begin{{tabular}}{{l{'r' * width * len(groups)}}}",
        r"    \toprule",
    ]
    if len(groups) > 1:
        spans = [f"\\multicolumn{{{width}}}{{c}}{{{name}}}" for name in groups]
        ends = [(2 + width * place, 1 + width * (place + 1)) for place in range(len(groups))]
        rules = " ".join(f"\\cmidrule(lr){{{first}-{last}}}" for first, last in ends)
        lines += [_row(["", *spans]), f"    {rules}"]
    lines += [_row(["model", *map(_text, [*titles] * len(groups))]), r"    \midrule"]
    for place, run in enumerate(runs):
        cells = [cell for rows in groups.values() for cell in rows[place]]
        lines.append(_row([_text(run.model), *cells]))
    return "\n".join([*lines, r"    \bottomrule", r"  \end{tabular}", r"\end{table}", ""])


def _row(cells: Sequence[str]) -> str:
    return f"    {' & '.join(cells)} \\\\"


def _text(words: str) -> str:
    """Return text in which no sign means anything to LaTeX."""
    return "".join(_SIGNS.get(sign, sign) for sign in words)
