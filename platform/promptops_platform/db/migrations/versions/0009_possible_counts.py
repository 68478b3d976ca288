"""Token counts that no model can have become the nearest that one can have.

Earlier releases stored what vendors reported. Sums over such counts leave the range of whole
numbers, and could not be read again.
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

MOST_TOKENS = 10_000_000
# In billionths of a dollar, for one call that was charged by an impossible count.
MOST_NANOS = 10_000_000_000_000
# So many calls at that price still fit into 64 bits.
MOST_CALLS = 900_000
TOKENS = ("prompt_tokens", "cached_tokens", "output_tokens")


def upgrade() -> None:
    # Each cost before its counts, which tell whether it is to be corrected.
    step = _impossible(str(MOST_TOKENS))
    run = f"({step}) AND cost_nanos IS NOT NULL"
    _update("run_steps", _least("cost_nanos", MOST_NANOS), run)
    _update("run_steps", _possible(str(MOST_TOKENS)), step)
    _update("runs", f"cost_nanos = {_sum_of_steps('cost_nanos', MOST_NANOS)}", run)
    _update("runs", ", ".join(f"{name} = {_sum_of_steps(name, 0)}" for name in TOKENS), step)
    calls, cells = f"calls * {MOST_TOKENS}", _impossible(f"calls * {MOST_TOKENS}")
    charged = f"{_function('least')}(calls, {MOST_CALLS}) * {MOST_NANOS}"
    _update("run_rollups", _least("cost_nanos", charged), cells)
    _update("run_rollups", _possible(calls), cells)


def _update(table: str, assignments: str, condition: str) -> None:
    op.execute(f"UPDATE {table} SET {assignments} WHERE {condition}")  # noqa: S608


def _sum_of_steps(column: str, without: int) -> str:
    steps = f"(SELECT sum({column}) FROM run_steps WHERE run_id = runs.id)"  # noqa: S608
    return f"coalesce({steps}, {without})"


def _impossible(most: str) -> str:
    return " OR ".join(f"{name} < 0 OR {name} > {most}" for name in TOKENS)


def _possible(most: str) -> str:
    least, greatest = _function("least"), _function("greatest")
    return ", ".join(f"{name} = {least}({greatest}({name}, 0), {most})" for name in TOKENS)


def _least(column: str, most: object) -> str:
    return f"{column} = {_function('least')}({column}, {most})"


def _function(name: str) -> str:
    if op.get_bind().dialect.name == "postgresql":
        return name
    return {"least": "min", "greatest": "max"}[name]
