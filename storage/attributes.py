"""Attributes of studies and trials in SQL, where anybody may have set them."""

PROOF = {
    "COMPLETE": ("score", "train_seconds"),
    "PRUNED": ("given_up", "given_up"),
    "FAIL": ("place", "final_error"),
    "RUNNING": ("place", "place"),
}
"""Attribute of a trial of a search, and of one of reruns, that only a driver sets, by state.

Trials of others may be in our studies: added, optimized or told by hand. They count for nothing.
"""

# Attributes that others set may be of any kind, or no JSON at all, such as NaN: a value of another
# kind is NULL, as PostgreSQL would end the query.
KINDS = {
    "sqlite": {
        "word": """case when value_json like '"%' then json_extract(value_json, '$') end""",
        "number": "case when ltrim(value_json, '-') glob '[0-9]*'"
        " then cast(value_json as double precision) end",
    },
    "postgresql": {
        # It has neither the character 0 nor halves of a surrogate pair.
        "word": r"""case when value_json like '"%' and regexp_replace(value_json,
            '\\ud[89ab]..\\ud[c-f]', '', 'g') !~ '\\u(0000|d[89a-f])'
            then cast(value_json as json) #>> '{}' end""",
        "number": r"cast(substring(value_json from '^(-?[0-9]{1,17}([.e].*)?)$')"
        " as double precision)",
    },
}


def attribute(key: str) -> str:
    """Return the JSON text of an attribute of trial `t`."""
    return f"""(select value_json from trial_user_attributes a
        where a.trial_id = t.trial_id and a.key = '{key}')"""


def number(dialect: str, key: str) -> str:
    """Return an attribute of trial `t`, NULL where it is no number."""
    return attribute(key).replace("value_json", KINDS[dialect]["number"], 1)
