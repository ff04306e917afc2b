"""How sure winners are, in words, and in a table of searches."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import Engine

from storage.queries import Certainty, StudyAttributes, ranked_cells
from storage.rows import kept_certainty
from studies.display.columns import aligned

MOST = 40
"""The most searches whose certainty is computed where none is kept: that takes a while."""

MANY = 10_000
"""Larger numbers of repeats are shown as `> 10000`."""

LEGEND = (
    "Contenders are the cells that cannot be told from a search's winner (95%, all cells at once), "
    "the winner among them. Wins again: how probably the winner wins on new seeds. To settle: "
    "about how many repeats would tell the winner from the runner-up (power 80%)."
)


def known_certainty(
    engine: Engine, searches: Sequence[StudyAttributes]
) -> dict[tuple[str, str], dict[str, Certainty]]:
    """Return how sure the winners of complete searches are, by experiment and model, then stage.

    Where older versions kept none, it is computed, unless more than `MOST` searches lack it.
    """
    certainty: dict[tuple[str, str], dict[str, Certainty]] = defaultdict(dict)
    lacking = sum(kept_certainty(study.attributes) is None for study in searches)
    for study in searches:
        known = kept_certainty(study.attributes)
        if known is None and lacking <= MOST and "grid" in study.attributes:
            # It loads NumPy, which takes as long as all else together.
            from studies.certainty import certainty_of

            names = {"experiment": study.experiment, "model": study.model, "base": study.stage}
            known = certainty_of(study, list(ranked_cells(engine, **names)))
        if known is not None:
            # The last study that goes on beyond a grid knows the cells of all.
            stage = study.attributes.get("extends", study.stage)
            certainty[study.experiment, study.model][stage] = known
    return certainty


def sureness_lines(known: Mapping[str, Certainty], width: int | None = None) -> Iterator[str]:
    """Yield the lines of a table of searches by name, header first, split to fit into `width`."""
    columns = [
        ("contenders", [str(len(certainty.contenders)) for certainty in known.values()]),
        ("wins again", [share_text(certainty) for certainty in known.values()]),
        ("repeats", [str(certainty.repeats) for certainty in known.values()]),
        ("to settle", [settling_text(certainty) for certainty in known.values()]),
    ]
    yield from aligned([("search", list(known))], [[column] for column in columns], width)


def share_text(certainty: Certainty) -> str:
    """Return how probably the winner wins again: `49%`; `-` where one repeat does not tell."""
    return "-" if certainty.win_again is None else f"{certainty.win_again:.0%}"


def settling_text(certainty: Certainty) -> str:
    """Return how many repeats would settle it: `45`, or `-` where none would."""
    repeats = certainty.repeats_to_settle
    if repeats is None:
        return "-"
    return f"> {MANY}" if repeats > MANY else str(repeats)


def sureness_sentence(certainty: Certainty) -> str:
    """Return what is known of a winner, for its note."""
    others = len(certainty.contenders) - 1
    if certainty.repeats < 2:
        return "One repeat does not tell how sure this winner is."
    subject = {0: "No other cell is", 1: "1 other cell is"}.get(others, f"{others} other cells are")
    gap = certainty.largest_gap
    bound = "" if gap is None else f", and behind it by less than {gap:.2g}"
    text = (
        f"{subject} as good as the winner, as far as {certainty.repeats} repeats tell (95%, all "
        f"cells at once){bound}. On new seeds it wins again with a probability of "
        f"{share_text(certainty)}"
    )
    if certainty.repeats_to_settle is None:
        return f"{text}{'; the runner-up has the same score' if others else ''}."
    settling = settling_text(certainty)
    return f"{text}; about {settling} repeats would settle it against the runner-up."
