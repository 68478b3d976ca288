"""Who calls, and the bodies of the access routes."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, StringConstraints

from promptops_platform.access.permissions import Role
from promptops_platform.http.examples import example
from promptops_platform.text import Line, refuse_unprintable

Password = Annotated[str, StringConstraints(max_length=1024), AfterValidator(refuse_unprintable)]


@dataclass(frozen=True, slots=True)
class Actor:
    """The authenticated caller; `session_hash` is None for the static token."""

    username: str
    role: Role
    session_hash: str | None = None


class LoginRequest(BaseModel):
    """Either a user name with its password, or a token."""

    model_config = example(username="ada", password="correct horse")  # noqa: S106  an example

    username: Line | None = None
    password: Password | None = None
    token: Line | None = None


class LoginAnswer(BaseModel):
    model_config = example(ok=True, token="pos_8Kq2", role="editor", username="ada")  # noqa: S106

    ok: Literal[True] = True
    token: str
    role: Role
    username: str


class Me(BaseModel):
    model_config = example(username="ada", role="editor")

    username: str
    role: Role


class Done(BaseModel):
    """The answer to a deletion, a logout and the like."""

    model_config = example(ok=True)

    ok: Literal[True] = True
