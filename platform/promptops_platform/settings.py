"""Every setting of the platform, read from the environment (docs/settings.md explains each)."""

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from promptops_platform.db.location import PostgresUrl, SqliteFile
from promptops_platform.listen_addresses import ListenAddress
from promptops_platform.setting_values import (
    comma_separated,
    host_list,
    host_patterns,
    http_url,
    listen_address,
    origin_list,
    page_url,
    postgres_url,
    proxy_list,
    secret_keys,
    stripped_secret,
)
from promptops_providers.transport.address_policy import AddressPolicy

DEFAULT_TOKEN = "promptops-dev-token"  # noqa: S105  the SDKs' documented development token

# A Unix socket's path is limited to 108 bytes on Linux and 104 on macOS.
LONGEST_SOCKET_PATH = 100


# A static token can be guessed from anywhere, and it acts as an admin.
SHORTEST_TOKEN = 16


class Settings(BaseSettings):
    """Settings as read from `PROMPTOPS_*` (and Prefect's own `PREFECT_API_*`) variables."""

    model_config = SettingsConfigDict(
        env_prefix="PROMPTOPS_", env_ignore_empty=True, populate_by_name=True, extra="ignore"
    )

    addr: Annotated[str, AfterValidator(listen_address)] = Field(
        default=":8080", description="Address to listen on, `host:port` or `:port`."
    )
    url: Annotated[str | None, AfterValidator(page_url)] = Field(
        default=None,
        description="Address of the console in a browser, for links to it. With a path, a proxy "
        "serves all of the platform below that path, and removes it from requests.",
    )
    data: Path = Field(default=Path("data"), description="Folder for all state.")
    db: Path | None = Field(
        default=None, description="SQLite file of the registry; by default in the data folder."
    )
    database_url: Annotated[SecretStr | None, AfterValidator(postgres_url)] = Field(
        default=None, description="PostgreSQL URL of the registry; replaces the SQLite file."
    )
    token: Annotated[SecretStr, AfterValidator(stripped_secret)] = Field(
        default=SecretStr(DEFAULT_TOKEN), description="Static token; acts as the admin `admin`."
    )
    env: Literal["development", "production"] = Field(
        default="development",
        description="`production` refuses to start with a default secret.",
    )
    admin_password: SecretStr | None = Field(
        default=None, description="Password of the first account `admin` of a new database."
    )
    secret_key: Annotated[SecretStr | None, AfterValidator(secret_keys)] = Field(
        default=None,
        description="Encrypts the stored API keys of model providers, the checkpoints of runs, and "
        "conversations whose texts may not be kept as they are; several comma-separated: the first "
        "encrypts, all decrypt. By default a generated one in the data folder.",
    )
    cors_origins: Annotated[str | None, NoDecode, AfterValidator(origin_list)] = Field(
        default=None,
        description="Origins that browsers may call from, comma-separated; `*` is any, which is "
        "the default in development. In production there is none by default.",
    )
    allowed_hosts: Annotated[str, NoDecode, AfterValidator(host_list)] = Field(
        default="*",
        description="Host names that requests may name, comma-separated; `*.example.org` is any "
        "below that name.",
    )
    trusted_proxies: Annotated[str, NoDecode, AfterValidator(proxy_list)] = Field(
        default="",
        description="Addresses or networks of proxies whose `X-Forwarded-For` and "
        "`X-Forwarded-Proto` are believed, comma-separated.",
    )
    provider_hosts: Annotated[str, AfterValidator(host_patterns), NoDecode] = Field(
        default="",
        description="Hosts at which models may be called, comma-separated; `*.example.org` is any "
        "below that name. By default the vendors' own.",
    )
    tool_hosts: Annotated[str, AfterValidator(host_patterns), NoDecode] = Field(
        default="",
        description="Hosts that HTTP tools of agents may call, comma-separated, as in "
        "`PROMPTOPS_PROVIDER_HOSTS`. By default none, in development loopback.",
    )
    max_body_bytes: int = Field(
        default=4 * 1024 * 1024, ge=1024, description="Longest accepted request body, in bytes."
    )
    head_seconds: float = Field(
        default=15.0,
        gt=0,
        le=3600,
        description="Longest time that a request's line and headers take to arrive.",
    )
    body_seconds: float = Field(
        default=60.0,
        gt=0,
        le=86_400,
        description="Longest time that a request's body takes to arrive, and that a client leaves "
        "an answer unread.",
    )
    anonymous_connections: int = Field(
        default=1000,
        ge=1,
        description="Maximum number of connections without a valid token; beyond it, those that "
        "have been idle longest are closed. At most a quarter of the open files that "
        "the system allows.",
    )
    anonymous_connections_per_address: int = Field(
        default=100,
        ge=1,
        description="The same for one address (IPv6: one /64 network).",
    )
    session_hours: float = Field(
        default=168.0, gt=0, le=87_600, description="Lifetime of a login session, in hours."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severe level that is logged."
    )
    log_format: Literal["auto", "json", "text"] = Field(
        default="auto", description="`auto` writes text to a terminal and JSON elsewhere."
    )
    prefect_port: int = Field(
        default=4200, ge=1, le=65535, description="Preferred port of the embedded Prefect server."
    )
    work_pool: str = Field(
        default="promptops",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,79}$",
        description="Work pool in Prefect that holds the deployments of schedules and triggers. "
        "Installations that share a Prefect server need one each.",
    )
    engine_concurrency: int = Field(
        default=16, ge=1, description="Runs that the engine executes at once; others wait."
    )
    runs_per_caller: int | None = Field(
        default=None,
        ge=1,
        description="Runs of agents and workflows that one caller may have in progress at once; "
        "up to three times as many wait, others get a 429. By default half of "
        "`PROMPTOPS_ENGINE_CONCURRENCY`.",
    )
    runs_per_workspace: int | None = Field(
        default=None,
        ge=1,
        description="The same for one workspace. By default three quarters of "
        "`PROMPTOPS_ENGINE_CONCURRENCY`.",
    )
    queued_runs: int = Field(
        default=1000,
        ge=1,
        description="Runs started with `wait: false` that may wait for their turn in one "
        "workspace, at each replica; others get a 429.",
    )
    retry_days: float = Field(
        default=7.0,
        ge=0,
        le=36_500,
        description="Days that an uncompleted run can be retried; the outputs of its completed "
        "steps are kept for that time, encrypted.",
    )
    playground_per_caller: int = Field(
        default=8,
        ge=1,
        description="Playground calls that one caller may have in progress at once; up to three "
        "times as many wait, others get a 429.",
    )
    playground_per_workspace: int = Field(
        default=32, ge=1, description="The same for one workspace."
    )
    streams_per_caller: int = Field(
        default=64,
        ge=1,
        description="Event streams and requests waiting for a run that one caller may have at "
        "once; others get a 429.",
    )
    worker_prefect_url: Annotated[str | None, AfterValidator(page_url)] = Field(
        default=None,
        description="API of Prefect as workers on other machines reach it; by default "
        "`PREFECT_API_URL` or the embedded server, which listens on this machine only.",
    )
    worker_lost_seconds: float = Field(
        default=30.0,
        ge=2,
        le=3600,
        description="Seconds without a heartbeat after which the runs of a worker go to other "
        "workers.",
    )
    engine_wait_seconds: float = Field(
        default=30.0,
        gt=0,
        le=3600,
        description="Longest wait of a run for an engine that is not ready; it restarts while "
        "the start of engine and Prefect makes progress, for at most 120 seconds in all.",
    )
    drain_seconds: float = Field(
        default=30.0,
        ge=0,
        le=3600,
        description="Seconds that requests and runs in progress get to finish at a stop.",
    )
    run_texts: Literal["full", "none"] = Field(
        default="full",
        description="`none` keeps no inputs and outputs of runs, only their figures, in Prefect "
        "and logs as well.",
    )
    run_redact: str = Field(
        default="",
        description="What is blanked out in texts of runs before they are stored, comma-separated: "
        "`secret`, `email`, `iban`, `card`, `phone`, `ip`.",
    )
    run_redact_patterns: str = Field(
        default="",
        description="Own patterns (RE2) that are blanked out as well, a JSON list of texts.",
    )
    run_days: int = Field(
        default=0,
        ge=0,
        le=36_500,
        description="Days that runs are kept; 0 keeps them for ever. Statistics stay.",
    )
    prices: Path | None = Field(
        default=None,
        description="JSON file with the prices of models; replaces the table that ships.",
    )
    prefect_api_url: str | None = Field(
        default=None,
        validation_alias=AliasChoices("PREFECT_API_URL", "prefect_api_url"),
        description="API of a Prefect server to use instead of the embedded one.",
    )
    prefect_api_auth_string: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("PREFECT_API_AUTH_STRING", "prefect_api_auth_string"),
        description="`user:password` of that Prefect server.",
    )

    otel_endpoint: Annotated[str | None, AfterValidator(http_url)] = Field(
        default=None,
        validation_alias=AliasChoices("OTEL_EXPORTER_OTLP_ENDPOINT", "otel_endpoint"),
        description="Base address of an OTLP/HTTP collector that traces go to; none without it.",
    )
    trace_content: bool = Field(
        default=False,
        description="Whether traces contain the texts of prompts and answers, within the limits of "
        "`PROMPTOPS_RUN_TEXTS` and `PROMPTOPS_RUN_REDACT`.",
    )

    @property
    def listen(self) -> ListenAddress:
        """Return the parsed `addr`."""
        return ListenAddress.parse(self.addr)

    @property
    def console_url(self) -> str:
        """Return `url`, by default the address on this machine."""
        return self.url or f"http://127.0.0.1:{self.listen.port}"

    @property
    def path_prefix(self) -> str:
        """Return the path of `url`, at which a proxy serves the platform; empty by default."""
        return urlsplit(self.console_url).path

    @property
    def uses_default_token(self) -> bool:
        """Whether the static token is the well-known default."""
        return self.token.get_secret_value().strip().casefold() == DEFAULT_TOKEN

    @property
    def uses_short_token(self) -> bool:
        """Whether the static token is short enough to be guessed."""
        return len(self.token.get_secret_value().strip()) < SHORTEST_TOKEN

    @property
    def origins(self) -> list[str]:
        """Return `cors_origins` as a list."""
        if self.cors_origins is None:
            return ["*"] if self.env == "development" else []
        return comma_separated(self.cors_origins)

    @property
    def hosts(self) -> list[str]:
        """Return `allowed_hosts` as a list, in lower case, IPv6 addresses without brackets."""
        return [host.strip("[]") for host in comma_separated(self.allowed_hosts.lower())]

    @property
    def proxies(self) -> list[str]:
        """Return `trusted_proxies` as a list."""
        return comma_separated(self.trusted_proxies)

    @property
    def address_policy(self) -> AddressPolicy:
        """Return which hosts models may be called at; loopback in development only."""
        return AddressPolicy.of_hosts(self.provider_hosts, allow_loopback=self.env == "development")

    @property
    def tool_policy(self) -> AddressPolicy:
        """Return which hosts HTTP tools may call, as in the run engine."""
        return AddressPolicy.of_tools(self.tool_hosts, allow_loopback=self.env == "development")

    @property
    def most_runs_per_caller(self) -> int:
        """Return `runs_per_caller`, or its default."""
        return self.runs_per_caller or max(1, self.engine_concurrency // 2)

    @property
    def most_runs_per_workspace(self) -> int:
        """Return `runs_per_workspace`, or its default."""
        return self.runs_per_workspace or max(1, self.engine_concurrency * 3 // 4)

    @property
    def database_location(self) -> SqliteFile | PostgresUrl:
        """Return the location of the registry database."""
        if self.database_url is None:
            return SqliteFile(self.db or self.data / "promptops.db")
        return PostgresUrl(self.database_url.get_secret_value())

    @property
    def engine_socket(self) -> Path:
        """Return the Unix socket of the run engine."""
        path = self.data.resolve() / "engine.sock"
        if len(str(path)) > LONGEST_SOCKET_PATH:
            raise ValueError(
                f"the data folder's path {self.data.resolve()} is too long for a Unix socket; "
                "set PROMPTOPS_DATA to a shorter one"
            )
        return path
