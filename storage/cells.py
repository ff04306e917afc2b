"""What the views and the queries are made of: labels, cells, their ranking, their figures.

Pieces of SQL that SQLite and PostgreSQL both take, so that each rule is written once.
"""


def _label(key: str) -> str:
    # Optuna keeps attributes as JSON; our labels hold nothing that JSON would escape.
    return f"replace(max(case when key = '{key}' then value_json end), '\"', '')"


def _parameter(name: str) -> str:
    return f"""(select param_value from trial_params p
        where p.trial_id = t.trial_id and p.param_name = '{name}')"""


def attribute(key: str) -> str:
    """Return the JSON text of an attribute of trial `t`."""
    return f"""(select value_json from trial_user_attributes a
        where a.trial_id = t.trial_id and a.key = '{key}')"""


def deviation(value: str, mean: str) -> str:
    """Return the standard deviation (n-1) of a group, NULL for fewer than two values."""
    # From the mean, in a second pass: squares of values that agree to four digits cancel.
    return f"""sqrt(sum(({value} - {mean}) * ({value} - {mean}))
        / nullif(count({value}) - 1, 0))"""


TRIALS = f"""
labelled as (
    select study_id, {_label("experiment")} as experiment, {_label("model")} as model,
        {_label("stage")} as stage, cast({_label("parameters")} as integer) as parameters,
        cast({_label("guessing")} as double precision) as guessing
    from study_user_attributes group by study_id
),
tried as (
    select s.*, t.trial_id, t.number, cast(t.state as varchar) as trial_state,
        {_parameter("learning_rate")} as learning_rate,
        cast({_parameter("batch_size")} as integer) as batch_size,
        {_parameter("alpha")} as alpha
    from labelled s join trials t on t.study_id = s.study_id
)"""

# A run that was killed leaves trials behind: several for one cell, and some that were killed
# before all their parameters were drawn, which are of no cell.
CELLS = f"""{TRIALS},
drawn as (
    select t.*, (select count(*) from trial_params p where p.trial_id = t.trial_id) as params
    from tried t where stage <> 'rerun'
),
attempts as (
    select drawn.*, max(params) over (partition by study_id) as params_of_cell,
        row_number() over (
            partition by study_id, params, learning_rate, batch_size, alpha
            order by case trial_state when 'COMPLETE' then 0 else 1 end, number desc
        ) as attempt
    from drawn
),
cells as (
    select t.*,
        case when substr({attribute("final_error")}, 2, 8) = 'diverged' then 'DIVERGED'
            else trial_state end as state,
        cast({attribute("score")} as double precision) as score
    from attempts t where attempt = 1 and params > 0 and params = params_of_cell
)"""

DECIDED = ("COMPLETE", "DIVERGED", "PRUNED")
"""States of a cell that is done: it may win, or has lost."""

RANKABLE = "state = 'COMPLETE' and score is not null"

# Accuracies are counts of pairs, so ties are real: the order of completion must not decide them.
RANKING = "score desc, learning_rate desc, batch_size asc, alpha asc"

_REPEATS = "from trial_intermediate_values v where v.trial_id = c.trial_id"

# Read from a row `c` of `cells`: only for the cells that are shown.
MEASURED = f"""
    (select avg(intermediate_value) {_REPEATS}) as mean_accuracy,
    (select {deviation("value", "mean")} from (
        select intermediate_value as value, avg(intermediate_value) over () as mean {_REPEATS}
    ) d) as std_accuracy,
    (select count(intermediate_value) {_REPEATS}) as runs"""

# An accuracy up to which a training was no better than guessing is kept with its study; older
# studies have none.
DEAD = f"""
    case when guessing is not null then
        (select count(*) {_REPEATS} and v.intermediate_value <= c.guessing) end as dead"""
