"""What views and typed reads are made of: studies, cells, their ranking, their measurements.

Pieces of SQL, so that each rule is written once. What SQLite and PostgreSQL write differently, such
as JSON, is chosen by dialect.
"""

import sqlite3

from storage.attributes import KINDS, PROOF, attribute, number
from storage.columns import Columns

DECIDED = ("COMPLETE", "DIVERGED", "PRUNED")
"""States of a cell that is done: it may win, or has lost."""

RANKABLE = "state = 'COMPLETE' and score is not null"

# Accuracies are counts, so ties are real: the order of completion must not decide them.
# The last study that settles a stage ranks before all other studies of the stage.
RANKING = "settling desc, sign * score desc, extension, coalesce(place, number)"

_PLACE_IN_TEXT = {"sqlite": "instr", "postgresql": "strpos"}

# SQLite would look an attribute up again wherever the piece that reads it is named.
_ONCE = {
    "sqlite": "materialized" if sqlite3.sqlite_version_info >= (3, 35) else "",
    "postgresql": "materialized",
}

_WORD = {
    "sqlite": "json_extract(distribution_json,"
    " '$.attributes.choices[' || cast(param_value as integer) || ']')",
    "postgresql": "cast(distribution_json as json) #>>"
    " array['attributes', 'choices', cast(cast(param_value as integer) as text)]",
}

_COUNT = "case when abs(number) < 9e18 then number end"

# Names in quotation marks, such as "lr-batch+1#3": no JSON is read.
_LIST = """case when value_json like '["%"]' then value_json end"""

_KINDS = {
    "integer": "case when abs(param_value) < 9e18 then cast(param_value as bigint) end",
    "number": "param_value",
    # Optuna keeps the place of a word among the choices.
    "word": """case when distribution_json like '{{"name": "Categorical%' then {word}
            when distribution_json like '{{"name": "Int%' then
                cast(cast(param_value as bigint) as text)
            else cast(param_value as text) end""",
}


def deviation(value: str, mean: str) -> str:
    """Return the standard deviation (n-1) of a group, NULL for fewer than two values."""
    # From the mean, in a second pass: squares of values that agree to four digits cancel.
    return f"""sqrt(sum(({value} - {mean}) * ({value} - {mean}))
        / nullif(count({value}) - 1, 0))"""


def parameters(columns: Columns) -> dict[str, str]:
    """Return the parameters' columns in the pieces below, by name; no user's name can equal one."""
    return {name: f"p{number}" for number, name in enumerate(columns["parameter"])}


def _values(dialect: str, columns: Columns) -> str:
    """Return the columns of the parameters of a trial `t`, each after a comma."""
    drawn = parameters(columns)
    return "".join(
        f""", (select {_KINDS[kind].format(word=_WORD[dialect])} from trial_params p
            where p.trial_id = t.trial_id and p.param_name = '{name}') as {drawn[name]}"""
        for name, kind in columns["parameter"].items()
    )


def trials(dialect: str, columns: Columns) -> str:
    """Return `tried`: the trials of all studies, with their labels and parameters."""

    def label(key: str, kind: str = "word") -> str:
        return f"max(case when key = '{key}' then {kind} end)"

    proof = "".join(
        f"""
        when '{state}' then case stage when 'rerun' then '{of_rerun}' else '{of_search}' end"""
        for state, (of_search, of_rerun) in PROOF.items()
    )
    return f"""
noted as (
    select study_id, key, value_json, {KINDS[dialect]["word"]} as word,
        {KINDS[dialect]["number"]} as number
    from study_user_attributes where key in ('experiment', 'model', 'stage', 'stages', 'extends',
        'extension', 'objective', 'direction', 'parameters', 'guessing', 'repeats', 'contenders',
        'win_again', 'repeats_to_settle', 'settles')
),
labelled as {_ONCE[dialect]} (
    select n.study_id, {label("experiment")} as experiment, {label("model")} as model,
        {label("stage")} as stage, coalesce({label("extends")}, {label("stage")}) as base,
        coalesce({label("extends", "value_json")}, {label("stage", "value_json")}) as base_json,
        coalesce({label("extension", "number")}, 0) as extension,
        case when {label("settles")} is null then 0
            else coalesce({label("extension", "number")}, 0) end as settling,
        {label("stages", "value_json")} as stages,
        coalesce({label("objective")}, 'accuracy') as objective,
        case {label("direction")} when 'minimize' then -1 else 1 end as sign,
        cast({label("parameters", _COUNT)} as bigint) as parameter_count,
        {label("guessing", "number")} as guessing,
        cast({label("repeats", _COUNT)} as bigint) as repeats,
        {label("contenders", _LIST)} as contenders, {label("win_again", "number")} as win_again,
        cast({label("repeats_to_settle", _COUNT)} as bigint) as repeats_to_settle
    from noted n join studies s on s.study_id = n.study_id
    group by n.study_id, study_name
    having study_name = {" || '/' || ".join(map(label, ("experiment", "model", "stage")))}
),
tried as (
    select s.*, t.trial_id, t.number,
        cast(t.state as varchar) as trial_state{_values(dialect, columns)}
    from labelled s join trials t on t.study_id = s.study_id
    where exists (select 1 from trial_user_attributes a where a.trial_id = t.trial_id
        and a.key = case cast(t.state as varchar){proof} end)
)"""


def cells(dialect: str, columns: Columns) -> str:
    """Return `cells`: one trial for each cell of a search.

    A run that was killed leaves trials behind: several for one cell, and some that were killed
    before all their parameters were drawn, which are of no cell.
    """
    return f"""{trials(dialect, columns)},
drawn as (
    select t.*, (select count(*) from trial_params p where p.trial_id = t.trial_id) as params
    from tried t where stage <> 'rerun' and {attribute("place")} is not null
),
attempts as (
    select drawn.*, max(params) over (partition by study_id) as params_of_cell,
        row_number() over (
            partition by study_id, {", ".join(["params", *parameters(columns).values()])}
            order by case trial_state when 'COMPLETE' then 0 else 1 end, number desc
        ) as attempt
    from drawn
),
cells as (
    select t.*,
        case when substr({attribute("final_error")}, 2, 8) = 'diverged' then 'DIVERGED'
            else trial_state end as state,
        {number(dialect, "score")} as score, {number(dialect, "place")} as place
    from attempts t where attempt = 1 and params > 0 and params = params_of_cell
)"""


def winners(dialect: str, columns: Columns) -> str:
    """Return `winners`: the best cell of each model's search."""
    # Later stages are begun later, but for those of studies that were deleted and searched again. A
    # stage is its grid and the studies that go on beyond it.
    stage = f"coalesce({_PLACE_IN_TEXT[dialect]}(stages, base_json), 0)"
    # Not from `cells`: to sort all columns of all cells would take most of the time, and of several
    # trials for one cell, only one is complete, or they are equals.
    return f"""{trials(dialect, columns)},
complete as {_ONCE[dialect]} (
    select study_id, experiment, model, {stage} as stage_place, extension, settling, sign,
        objective, trial_id, number, {attribute("place")} as is_cell,
        {number(dialect, "place")} as place, {number(dialect, "score")} as score,
        'COMPLETE' as state
    from tried t where stage <> 'rerun' and trial_state = 'COMPLETE'
),
ranked as (
    select complete.*, row_number() over (
        partition by experiment, model
        order by stage_place desc, case when stage_place = 0 then study_id end desc, {RANKING},
            number desc
    ) as rank_of_all
    from complete where is_cell is not null and {RANKABLE}
),
winners as (
    select t.*{_values(dialect, columns)} from ranked t where rank_of_all = 1
)"""


def contenders(dialect: str, columns: Columns) -> str:
    """Return `contending`: the cells of complete searches that cannot be told from the winner.

    `search` is the stage of the study that they were compared in: it may go on beyond their grid.
    """
    return f"""{cells(dialect, columns)},
contending as (
    select cells.*, s.stage as search from labelled s
    join cells on cells.experiment = s.experiment and cells.model = s.model and cells.base = s.base
    where {RANKABLE} and
        {_PLACE_IN_TEXT[dialect]}(s.contenders, '"' || cells.stage || '#' || number || '"') > 0
)"""


def reruns(dialect: str, columns: Columns) -> str:
    """Return `reruns`: the finished trainings of winners, each with the means of its study.

    Their `train_seconds` are NULL where others disturbed the timing.
    """
    return f"""{trials(dialect, columns)},
finished as (
    select t.*, (select value from trial_values v where v.trial_id = t.trial_id) as value,
        {attribute("disturbed")} as disturbed,
        {number(dialect, "train_seconds")} as measured_seconds,
        row_number() over (partition by study_id, (
            select param_value from trial_params p
            where p.trial_id = t.trial_id and p.param_name = 'seed'
        ) order by number desc) as attempt
    from tried t where stage = 'rerun' and trial_state = 'COMPLETE'
),
counted as (
    select finished.*,
        case when coalesce(disturbed, '') <> 'true' then measured_seconds end as train_seconds
    from finished where attempt = 1
),
reruns as (
    select counted.*, avg(value) over (partition by study_id) as mean_value,
        avg(train_seconds) over (partition by study_id) as mean_seconds
    from counted
)"""


_REPEATS = "from trial_intermediate_values v where v.trial_id = c.trial_id"

# Read from a row `c` of `cells`: only for the cells that are shown.
MEAN = f"(select avg(intermediate_value) {_REPEATS})"
DEVIATION = f"""(select {deviation("value", "mean")} from (
        select intermediate_value as value, avg(intermediate_value) over () as mean {_REPEATS}
    ) d)"""
RUNS = f"(select count(intermediate_value) {_REPEATS})"

# The objective up to which a training was no better than guessing is kept with its study; older
# studies have none.
DEAD = f"""case when guessing is not null then
        (select count(*) {_REPEATS} and sign * v.intermediate_value <= sign * guessing) end"""
