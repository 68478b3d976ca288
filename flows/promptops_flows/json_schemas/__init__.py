"""JSON Schemas that users write: for the arguments of tools and for structured answers.

Draft 2020-12 with limits: a `$ref` stays inside its schema, a `pattern` is matched in linear time,
and both checking a schema and comparing a value with it cost a bounded amount of work.
"""

from promptops_flows.json_schemas.findings import findings
from promptops_flows.json_schemas.limits import SchemaRefusedError
from promptops_flows.json_schemas.schema_check import check_schema

__all__ = ["SchemaRefusedError", "check_schema", "findings"]
