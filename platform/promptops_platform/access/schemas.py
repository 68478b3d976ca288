"""Requests and responses of the access routes."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    Field,
    StringConstraints,
)

from promptops_platform.access.actor import KEY_NAME, OWN_NAMES
from promptops_platform.access.key_repository import StoredKey
from promptops_platform.access.makers import MakerKind
from promptops_platform.access.permissions import NARROW, Role, known_key_role
from promptops_platform.access.tables import ApiKeyRow
from promptops_platform.field_types import (
    Label,
    Line,
    OptionalLine,
    RawLine,
    RequiredName,
    alike,
    refuse_unprintable,
)
from promptops_platform.http.envelope import Resource
from promptops_platform.http.examples import example
from promptops_platform.http.rules_between_fields import (
    NO_ITEMS,
    NO_TEXT,
    TEXT,
    either,
    exactly,
    only,
    present,
    ruled,
    when,
)

LONGEST_PASSWORD = 1024
MOST_ENVIRONMENTS = 50
# With its prefix, the name is stored as the author of the key's changes.
LONGEST_KEY_NAME = 100

Password = Annotated[
    str, StringConstraints(max_length=LONGEST_PASSWORD), AfterValidator(refuse_unprintable)
]
NewPassword = Annotated[Password, StringConstraints(min_length=1)]


def _not_reserved(name: str) -> str:
    """Refuse the names under which the platform and keys act."""
    reserved = alike(name)
    if reserved in OWN_NAMES or reserved.startswith(KEY_NAME):
        raise ValueError(
            "is a name that the platform uses itself, as are 'system', 'command line' and what "
            "begins with 'key '; choose another one"
        )
    return name


Username = Annotated[RequiredName, StringConstraints(min_length=1), AfterValidator(_not_reserved)]
KeyName = Annotated[RequiredName, StringConstraints(min_length=1, max_length=LONGEST_KEY_NAME)]


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("is not a valid time in UTC; use another one") from None


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]


class LoginRequest(BaseModel):
    """Either a user name with its password, or a token."""

    model_config = ruled(
        example(username="ada", password="correct horse"),  # noqa: S106  an example
        either(
            present(token=TEXT), present(username={"type": "string"}, password={"type": "string"})
        ),
    )

    # As it was sent: an account of an older release may have spaces around its name.
    username: RawLine | None = None
    password: Password | None = None
    token: RawLine | None = None


class LoginAnswer(BaseModel):
    model_config = example(ok=True, token="pos_8Kq2", role="editor", username="ada")  # noqa: S106

    ok: Literal[True] = True
    token: str
    role: Role
    username: str


class ConsoleSession(BaseModel):
    """The session of a browser. `csrf_token` has to be sent in the header `x-csrf-token` of every
    change; `default_secrets` lists the well-known secrets still in use, `token` or `password`.
    Without `has_account` there is no password to change, and without `manages_accounts` users and
    members can't be changed, whatever the role."""

    model_config = example(
        username="ada",
        role="editor",
        has_account=True,
        manages_accounts=False,
        csrf_token="5f1c",  # noqa: S106  an example
        default_secrets=[],
    )

    username: str
    role: Role
    has_account: bool
    manages_accounts: bool
    csrf_token: str
    default_secrets: list[str]


class SessionState(BaseModel):
    """`default_account` tells a browser without a session whether the account of a new installation
    still has its default password; with a session, see `default_secrets`."""

    model_config = example(
        data={
            "username": "ada",
            "role": "editor",
            "has_account": True,
            "manages_accounts": False,
            "csrf_token": "5f1c",
            "default_secrets": [],
        },
        default_account=False,
    )

    data: ConsoleSession | None
    default_account: bool


class Me(BaseModel):
    """The caller. `workspace_id` and `environments` are the limits of an API key."""

    model_config = example(username="ada", role="editor", workspace_id="default", environments=[])

    username: str
    role: Role
    workspace_id: str | None
    environments: list[str]


class PasswordChange(BaseModel):
    model_config = example(
        current_password="correct horse",  # noqa: S106
        new_password="battery staple",  # noqa: S106
    )

    current_password: Password
    new_password: NewPassword


class UserCreate(BaseModel):
    """A new account. An unknown role becomes `viewer`."""

    model_config = example(username="ada", password="correct horse", role="editor")  # noqa: S106

    username: Username
    password: NewPassword
    role: Line | None = None


class UserUpdate(BaseModel):
    """An edit. Fields that are absent, null or empty keep their value."""

    model_config = example(role="admin")

    password: Password | None = None
    role: OptionalLine = None


OptionalAccountRole = Annotated[
    Literal[Role.VIEWER, Role.EDITOR, Role.ADMIN] | None,
    BeforeValidator(lambda value: None if value == "" else value),
]


class User(Resource):
    model_config = example(
        id="0f3c5d7e9a3f2a1c",
        username="ada",
        role="editor",
        created_at="2026-03-14T09:26:53.589793Z",
    )

    id: str
    username: str
    role: Role
    created_at: datetime


class ApiKeyCreate(BaseModel):
    """A new API key. Without a workspace it is valid in all open workspaces, without environments
    in all environments."""

    model_config = ruled(
        example(name="shop", role="sdk", workspace="support", environments=["prod"]),
        *(
            when(present(role=exactly(role.value)), only(workspace=NO_TEXT, environments=NO_ITEMS))
            for role in NARROW
        ),
        when(present(manage_accounts=exactly(True)), present(role=exactly(Role.ADMIN.value))),
        when(present(manage_accounts=exactly(True)), only(environments=NO_ITEMS)),
    )

    name: KeyName
    role: Role = Field(
        default=Role.SDK,
        description="`sdk` may only fetch, watch and report what it has applied; `metrics` may "
        "only read `/metrics`; `worker` may only execute runs of work pools. The last two can't "
        "have a workspace or environments.",
    )
    workspace: OptionalLine = Field(default=None, description="A workspace's id or slug.")
    environments: list[Label] = Field(default=[], max_length=MOST_ENVIRONMENTS)
    expires_at: Moment | None = None
    manage_accounts: bool = Field(
        default=False,
        description="Whether the key may make and change accounts and members. Only an account "
        "can grant this permission, and only to a key with role `admin` and without "
        "`environments`.",
    )


_KEY: dict[str, Any] = {
    "id": "0f3c5d7e9a3f2a1c",
    "name": "shop",
    "prefix": "pok_Vx3kQ9fA",
    "role": "sdk",
    "workspace_id": "default",
    "environments": ["prod"],
    "created_by": "ada",
    "created_at": "2026-03-14T09:26:53.589793Z",
    "expires_at": "2027-03-14T00:00:00Z",
    "last_used_at": "2026-03-15T11:02:41.120396Z",
    "manage_accounts": False,
    "maker_kind": "user",
    "maker_id": "7e9a3f2a1c0f3c5d",
    "effective_role": "sdk",
}


class ApiKey(Resource):
    """An API key. `prefix` is its beginning. `last_used_at` is updated at most once a minute."""

    model_config = example(**_KEY)

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
    manage_accounts: bool
    maker_kind: MakerKind = Field(
        description="Whether `created_by` is a user, a key or the platform."
    )
    maker_id: str | None = Field(description="The id of the user or key in `created_by`.")
    effective_role: Role | None = Field(
        description="The key's effective role, which never exceeds that of the account that made "
        "it; "
        "null while it is refused because that account has no role there."
    )

    @classmethod
    def stored(cls, key: StoredKey) -> Self:
        return cls.of(key.row, effective_role=key.effective_role)


class NewApiKey(ApiKey):
    """A new API key. `key` is shown in this response only."""

    model_config = example(**_KEY, key="pok_Vx3kQ9fA0f3c5d7e9a3f2a1cVx3kQ9fA0f3c5d7e9a3")

    key: str

    @classmethod
    def made(cls, row: ApiKeyRow, key: str) -> Self:
        return cls.of(row, key=key, effective_role=known_key_role(row.role))


class EndedSessions(BaseModel):
    """How many sessions of the caller's account were ended."""

    model_config = example(ended=2)

    ended: int


class Done(BaseModel):
    """The response to a deletion, a logout and similar requests."""

    model_config = example(ok=True)

    ok: Literal[True] = True
