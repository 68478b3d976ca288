"""JSON Schemas that users write: for the arguments of tools and for structured answers.

Draft 2020-12 within limits: a `$ref` stays inside its schema, a `pattern` is matched in linear
time, and both judging a schema and comparing a value with it cost a bounded amount of work.
"""

from promptops_flows.json_schemas.findings import findings
from promptops_flows.json_schemas.judge import check_schema
from promptops_flows.json_schemas.limits import SchemaRefusedError

__all__ = ["SchemaRefusedError", "check_schema", "findings"]
