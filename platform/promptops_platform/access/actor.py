"""Who calls."""

from dataclasses import dataclass
from datetime import datetime

from promptops_platform.access.permissions import Role

# The platform itself acts under these names.
LINK = "link"
OWN_NAMES = frozenset({"system", "command line", LINK})
# A key acts under its name with this prefix.
KEY_NAME = "key "
EVERY_ENVIRONMENT: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Actor:
    """An authenticated caller, or the platform itself.

    `name` is written to the audit trail. `role` applies in open workspaces; the role of a key that
    is bound to a workspace applies in that workspace only. `credential` is the hash of the session
    token or key, None for the static token. The fields after `request_id` describe an API key: its
    id, the account at the beginning of its chain of makers (None if that isn't an account), and
    whether it may manage accounts. `caused_by` is the run whose step sends the request, according
    to the request itself.
    """

    name: str
    role: Role
    user_id: str | None = None
    credential: str | None = None
    workspace_id: str | None = None
    environments: frozenset[str] = EVERY_ENVIRONMENT
    expires_at: datetime | None = None
    address: str = ""
    request_id: str = ""
    key_id: str | None = None
    owner_id: str | None = None
    manages_accounts: bool = False
    caused_by: str = ""

    @property
    def kind(self) -> str:
        """The kind of `name`: callers of different kinds may have the same name."""
        if self.user_id is not None:
            return "user"
        if self.key_id is not None:
            return "key"
        return self.name if self.name in OWN_NAMES else "static token"

    @property
    def caller_id(self) -> str:
        """Identifies whose requests are counted together: those of an account and of its keys,
        otherwise those of a key, or of the static token."""
        return self.user_id or self.owner_id or self.key_id or self.name

    def may_enter(self, env: str) -> bool:
        """Whether the caller may use the environment; keys may be limited to some."""
        return not self.environments or env in self.environments


STATIC_TOKEN = Actor("admin", Role.ADMIN)
SYSTEM = Actor("system", Role.ADMIN)
COMMAND_LINE = Actor("command line", Role.ADMIN)
