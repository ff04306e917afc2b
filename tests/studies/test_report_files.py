"""What a report writes for a paper: tables for LaTeX, and figures in formats that scale."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from storage.store import open_store
from studies.report import __main__ as command
from tests.support.filled import BEST_TREE, FOREST, Filled, around, family


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The MLPs, and an experiment of which nothing is published."""
    url = f"sqlite:///{tmp_path_factory.mktemp('papers') / 'studies.db'}"
    with open_store(url) as store:
        family(Filled(store))
        Filled(store, FOREST, BEST_TREE).model("Forest", around(0.4))
    return url


def report(url: str, folder: Path, *words: str) -> Path:
    out = folder / "report"
    result = CliRunner().invoke(command.app, ["--storage", url, "--out", str(out), *words])
    assert result.exit_code == 0, result.output
    return out


def rows(text: str) -> list[list[str]]:
    """The cells of all lines of a table's body."""
    lines = [line[4:] for line in text.splitlines() if line.endswith(r" \\")]
    return [line.removesuffix(r" \\").split(" & ") for line in lines]


@pytest.mark.usefixtures("no_pictures")
def test_tables_have_ours_beside_what_is_published(url: str, tmp_path: Path) -> None:
    text = (report(url, tmp_path, "--latex", "--experiment", "paper") / "tables.tex").read_text()
    settings, results = text.split(r"\end{table}")[:2]
    assert r"\begin{tabular}{lrrrrrr}" in settings
    assert r"\cmidrule(lr){2-4} \cmidrule(lr){5-7}" in settings
    heads, names, plain, *_ = rows(settings)
    assert heads == ["", r"\multicolumn{3}{c}{ours}", r"\multicolumn{3}{c}{published}"]
    assert names == ["model", *2 * [r"learning\_rate", r"batch\_size", "alpha"]]
    assert plain == ["MLP", "0.001", "16", "--", "0.0005", "8", "--"]
    assert rows(settings)[-2] == ["AuxsiameseMLP", "0.001", "16", "0.5", "0.005", "8", "0.7"]
    by_model = {cells[0]: cells[1:] for cells in rows(results)[2:]}
    assert by_model["AuxMLP"] == [
        r"$0.850 \pm 0.006$", r"$2.30 \pm 0.13$", r"$0.856 \pm 0.011$", r"$7.3 \pm 0.4$",
    ]  # fmt: skip
    assert list(by_model) == ["MLP", "SiameseMLP", "AuxMLP", "AuxsiameseMLP", "UnsharedMLP"]
    for table in (settings, results):
        (columns,) = re.findall(r"\\begin\{tabular\}\{(l?r+)\}", table)
        assert all(len(cells) == len(columns) for cells in rows(table)[1:])
        assert table.count("{") == table.count("}")
        assert (table.count(r"\toprule"), table.count(r"\bottomrule")) == (1, 1)


@pytest.mark.usefixtures("no_pictures")
def test_without_published_results_a_table_has_one_group(url: str, tmp_path: Path) -> None:
    text = (report(url, tmp_path, "--latex", "--experiment", "forest") / "tables.tex").read_text()
    assert "published" not in text
    settings, results = text.split(r"\end{table}")[:2]
    assert rows(settings) == [
        ["model", "depth", "criterion", "rate"],
        ["Forest", "8", "entropy", "0.1"],
    ]
    assert rows(results)[0] == ["model", "loss", "seconds"]


@pytest.mark.parametrize("kind", ["pdf", "svg"])
def test_figures_come_in_a_format_that_scales_too(url: str, kind: str, tmp_path: Path) -> None:
    words = ("--experiment", "forest", "--figures", kind)
    files = {path.name: path for path in (report(url, tmp_path, *words) / "figures").iterdir()}
    pictures = {name.removesuffix(".png") for name in files if name.endswith(".png")}
    assert {name.removesuffix(f".{kind}") for name in files if name.endswith(kind)} == pictures
    assert len(pictures) > 3
    before = {name: path.read_bytes() for name, path in files.items()}
    for name, content in before.items():
        if name.endswith("pdf"):
            assert content.startswith(b"%PDF-")
        if name.endswith("svg"):
            assert ElementTree.fromstring(content).tag.endswith("svg")
    report(url, tmp_path, *words)
    assert {name: path.read_bytes() for name, path in files.items()} == before


def test_a_usual_report_has_neither(url: str, tmp_path: Path) -> None:
    out = report(url, tmp_path, "--experiment", "forest")
    assert {path.suffix for path in out.rglob("*.*")} == {".md", ".html", ".csv", ".png"}
