"""The introduction of the API description."""

INFO = """\
Edit, publish and observe prompts, agents and workflows while programs use them.

**Requests.** Bodies are JSON in UTF-8, whatever content type a request declares. All routes under
`/api/` except the login, and `/metrics`, need `Authorization: Bearer <token>`: the static token,
the token of a session, or an API key. `x-permission` of an operation is the permission that your
role must have. Times are RFC 3339 with time zone; ids are opaque strings.

**Responses.** A resource is returned as `{"data": {...}}`, a list as `{"data": [...]}`, a deletion
as `{"ok": true}`. Ignore fields that you don't know. Every response has the header `X-Request-Id`;
you may send your own, which then appears in the server's log and the audit trail.

**Errors.** The body is JSON with `error`, a sentence, and `code`, a name for programs; there may be
more fields. A wrong body or value is a 400, never a 422.

**Hot reload.** The WebSocket `/ws` sends a JSON text message for each change of what a fetch
returns: `{"type", "id", "key", "env", "version"}`, where `type` is `prompt.updated`,
`prompt.published` or one that a later release adds. When the message arrives, the change can be
fetched already: fetch the prompt again on every message whose `key` you use. Query parameters:
`token` (or the header `Authorization`), `client` (the SDK's name), `app`, `namespace` or `env` (the
environment to watch; by default all), `workspace`. Without a valid token the handshake fails with
401. The server pings every 3 seconds and requires no pong; the close code 4401 means that the
session or the key has ended.
"""

# By tag. A tag without routes is left out of the document.
TAGS = {
    "access": "Login, sessions and your own account.",
    "agents": "A prompt with a model, tools and a memory, run as a Prefect flow.",
    "approvals": "Decisions of people that runs of workflows wait for.",
    "audit": "Who changed what, and when.",
    "change_requests": "Changes of what is served that wait for approvals.",
    "health": "Whether the process is alive and ready, and its metrics.",
    "keys": "API keys for SDKs and scripts.",
    "playground": "Try a prompt with a model.",
    "prompts": "The registry: working copies, versions, publishing and rollback.",
    "providers": "Connections of workspaces to model providers.",
    "realtime": "What programs fetch, and which of them watch for changes.",
    "sample": "A sample to start with.",
    "schedules": "When agents and workflows run automatically.",
    "rollouts": "Serve several versions of a prompt side by side.",
    "runs": "The log of runs.",
    "system": "The parts of the installation and their state.",
    "triggers": "What starts runs and webhooks when something happens.",
    "workers": "Machines that execute the runs of work pools, and what they report.",
    "users": "Accounts and their roles.",
    "workflows": "Definitions that run as Prefect flows.",
    "workspaces": "Workspaces separate teams.",
}
