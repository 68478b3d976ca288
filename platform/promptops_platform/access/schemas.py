"""The bodies of the access routes."""

from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, StringConstraints

from promptops_platform.access.permissions import Role
from promptops_platform.db.tables import ApiKeyRow
from promptops_platform.http.envelope import Resource
from promptops_platform.text import Label, Line, Name, OptionalLine, refuse_unprintable

LONGEST_PASSWORD = 1024
MOST_ENVIRONMENTS = 50
# With what is put before it, it stands as the author of what the key changes.
LONGEST_KEY_NAME = 100

Password = Annotated[
    str, StringConstraints(max_length=LONGEST_PASSWORD), AfterValidator(refuse_unprintable)
]
NewPassword = Annotated[Password, StringConstraints(min_length=1)]
Username = Annotated[Name, StringConstraints(min_length=1)]


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("is no time that a calendar has in UTC; name another one") from None


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]


class LoginRequest(BaseModel):
    """Either a user name with its password, or a token."""

    username: Line | None = None
    password: Password | None = None
    token: Line | None = None


class LoginAnswer(BaseModel):
    ok: Literal[True] = True
    token: str
    role: Role
    username: str


class Me(BaseModel):
    """The caller; `workspace_id` and `environments` are what an API key is limited to."""

    username: str
    role: Role
    workspace_id: str | None
    environments: list[str]


class PasswordChange(BaseModel):
    current_password: Password
    new_password: NewPassword


class UserCreate(BaseModel):
    """A new account. An unknown role becomes `viewer`."""

    username: Username
    password: NewPassword
    role: Line | None = None


class UserUpdate(BaseModel):
    """What may be changed; a field that is absent, null or empty stays as it is."""

    password: Password | None = None
    role: OptionalLine = None


class User(Resource):
    id: str
    username: str
    role: Role
    created_at: datetime


class ApiKeyCreate(BaseModel):
    """A new key. Without a workspace it works in all open ones, without environments in all."""

    name: Annotated[Name, StringConstraints(min_length=1, max_length=LONGEST_KEY_NAME)]
    role: Role = Field(
        default=Role.SDK, description="`sdk` may only fetch, watch and report what it has applied."
    )
    workspace: OptionalLine = Field(default=None, description="Id or slug.")
    environments: list[Label] = Field(default=[], max_length=MOST_ENVIRONMENTS)
    expires_at: Moment | None = None


class ApiKey(Resource):
    """A key; `prefix` is how it begins. `last_used_at` is written once a minute."""

    id: str
    name: str
    prefix: str
    role: Role
    workspace_id: str | None
    environments: list[str]
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class NewApiKey(ApiKey):
    """A key that was just made; `key` is shown this once."""

    key: str

    @classmethod
    def made(cls, row: ApiKeyRow, key: str) -> Self:
        return cls.of(row, key=key)


class Done(BaseModel):
    """The answer to a deletion, a logout and the like."""

    ok: Literal[True] = True
