"""Who calls."""

from dataclasses import dataclass
from datetime import datetime

from promptops_platform.access.permissions import Role

# Under these names the platform itself acts.
LINK = "link"
OWN_NAMES = frozenset({"system", "command line", LINK})
# A key acts under its name with this before it.
KEY_NAME = "key "
EVERY_ENVIRONMENT: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Actor:
    """An authenticated caller, or the platform itself.

    `name` stands in the audit trail. `role` counts in open workspaces; a key of one workspace has
    it there only. `credential` is the hash of the session token or key, None for the static token.
    The fields after `request_id` describe an API key: its id, the account at the beginning of its
    chain of makers (None where that is no account), and whether it has the right to change
    accounts. `caused_by` is the run whose step sends the request, as that says itself.
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
        """What `name` is the name of: names of different kinds may be the same."""
        if self.user_id is not None:
            return "user"
        if self.key_id is not None:
            return "key"
        return self.name if self.name in OWN_NAMES else "static token"

    @property
    def caller_id(self) -> str:
        """Whose requests count together: those of an account and of its keys, else those of a key,
        or of the static token."""
        return self.user_id or self.owner_id or self.key_id or self.name

    def may_enter(self, env: str) -> bool:
        """Whether the environment is among those that the key is limited to."""
        return not self.environments or env in self.environments


STATIC_TOKEN = Actor("admin", Role.ADMIN)
SYSTEM = Actor("system", Role.ADMIN)
COMMAND_LINE = Actor("command line", Role.ADMIN)
