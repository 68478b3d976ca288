"""A route's transaction, which is committed before the response is sent."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request

from promptops_platform.db.unit_of_work import Database, Transaction
from promptops_platform.http.services import services_of


async def _write(request: Request) -> AsyncIterator[Transaction]:
    database = services_of(request).get(Database)
    async with database.write() as transaction:
        yield transaction


async def _read(request: Request) -> AsyncIterator[Transaction]:
    database = services_of(request).get(Database)
    async with database.read() as transaction:
        yield transaction


# With the scope "function" the block ends, and commits, after the route and before the response.
Write = Annotated[Transaction, Depends(_write, scope="function")]
Read = Annotated[Transaction, Depends(_read, scope="function")]
