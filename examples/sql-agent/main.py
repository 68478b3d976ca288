"""Answers a question about a small shop with SQL that an agent writes.

The rules are a prompt on the server: change them there, and the next question follows them.
"""

import json
import os
import re
import sqlite3
import sys
import urllib.request
from typing import Any

SERVER = os.environ.get("PROMPTOPS_SERVER", "http://127.0.0.1:8080")
TOKEN = os.environ.get("PROMPTOPS_TOKEN", "promptops-dev-token")
AGENT = "example-sql-agent"
LIMIT = 10
TABLES = """
CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, country TEXT);
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER, total REAL, day TEXT);
"""
ROWS = """
INSERT INTO customers VALUES (1, 'Ada', 'GB'), (2, 'Grace', 'US'), (3, 'Emmy', 'DE');
INSERT INTO orders VALUES (1, 1, 20.0, '2026-03-01'), (2, 2, 35.5, '2026-03-02'),
  (3, 1, 12.5, '2026-03-02'), (4, 3, 99.0, '2026-03-03');
"""
# The provider `mock` writes no SQL: without a real one, this statement replaces its answer.
OF_THE_MOCK = "SELECT day, count(*) AS orders, sum(total) AS total FROM orders GROUP BY day"


def ask(method: str, path: str, body: object = None) -> Any:
    """The JSON of a response of the platform."""
    request = urllib.request.Request(  # noqa: S310  the server of your own settings
        SERVER + path,
        data=None if body is None else json.dumps(body).encode(),
        headers={"authorization": f"Bearer {TOKEN}", "content-type": "application/json"},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310
        return json.loads(answer.read())


def written_sql(question: str) -> str:
    """The agent's SQL statement."""
    agents = ask("GET", f"/api/agents?q={AGENT}")["data"]
    variables = {"question": question, "tables": TABLES.strip(), "limit": LIMIT}
    answer = ask("POST", f"/api/agents/{agents[0]['id']}/run", {"variables": variables})
    print(f"-- rules: {answer['prompt']['key']} {answer['prompt']['version']}")
    result = answer["result"]
    text = OF_THE_MOCK if result["provider"] == "mock" else str(result["output"])
    fenced = re.search(r"```(?:sql)?\s*(.*?)```", text, re.DOTALL)
    return (fenced[1] if fenced else text).strip().rstrip(";")


def run(sql: str) -> list[tuple[Any, ...]]:
    """The rows. The agent's statement can only read."""
    database = sqlite3.connect(":memory:")
    database.executescript(TABLES + ROWS)
    database.execute("PRAGMA query_only = ON")
    cursor = database.execute(sql)
    print("\t".join(column[0] for column in cursor.description))
    return cursor.fetchmany(LIMIT)


if __name__ == "__main__":
    statement = written_sql(" ".join(sys.argv[1:]) or "How much did we sell each day?")
    print(statement)
    for row in run(statement):
        print("\t".join(map(str, row)))
