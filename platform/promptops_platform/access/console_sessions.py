"""What the web console gets to know about its session and about well-known default secrets."""

from datetime import timedelta

from promptops_platform.access.actor import Actor
from promptops_platform.access.authentication import Authenticator
from promptops_platform.access.grants import may_manage_accounts
from promptops_platform.access.permissions import Role
from promptops_platform.access.schemas import ConsoleSession, SessionState
from promptops_platform.access.service import AccessService
from promptops_platform.access.session_cookie import csrf_token
from promptops_platform.db.unit_of_work import Database
from promptops_platform.errors import Unauthorized


class ConsoleSessions:
    """Describes sessions. Only short transactions of its own are open."""

    def __init__(
        self,
        *,
        database: Database,
        authenticator: Authenticator,
        access: AccessService,
        lifetime: timedelta,
        uses_default_token: bool,
    ) -> None:
        self.lifetime = lifetime
        self._database = database
        self._authenticator = authenticator
        self._access = access
        self._uses_default_token = uses_default_token

    async def state(self, token: str | None, address: str) -> SessionState:
        """Return the owner of the token, or null. For null, the login page may show the account
        that every new installation has."""
        if token is None:
            return await self._nobody()
        try:
            actor = await self._authenticator.authenticate(token, address)
        except Unauthorized:
            return await self._nobody()
        return SessionState(data=await self.session(actor, token), default_account=False)

    async def session(self, actor: Actor, token: str) -> ConsoleSession:
        """Return the session that the token opened."""
        return ConsoleSession(
            username=actor.name,
            role=actor.role,
            has_account=actor.user_id is not None,
            manages_accounts=may_manage_accounts(actor),
            csrf_token=csrf_token(token),
            default_secrets=await self._default_secrets() if actor.role is Role.ADMIN else [],
        )

    async def _nobody(self) -> SessionState:
        return SessionState(data=None, default_account=await self._has_default_password())

    async def _default_secrets(self) -> list[str]:
        """Return which well-known default secrets are in use; for admins only, who can change
        them."""
        in_use = {
            "token": self._uses_default_token,
            "password": await self._has_default_password(),
        }
        return [name for name, is_used in in_use.items() if is_used]

    async def _has_default_password(self) -> bool:
        async with self._database.read() as transaction:
            return bool(await self._access.default_passwords(transaction))
