"""The address rules where they count: at the connection."""

import datetime as dt
import ssl
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from harness.ports import free_port
from harness.vendors import Answer, FakeVendor, fake_vendor
from promptops_providers.transport.address_policy import AddressPolicy, ForbiddenAddress
from promptops_providers.transport.clients import Timeouts, guarded_client

LISTED = AddressPolicy.of_hosts("llm.test")
ANY = AddressPolicy.of_hosts("*")


class Resolver:
    """Answers in turn, the last again and again."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.asked: list[str] = []
        self._answers = list(answers)

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


async def fetched(
    policy: AddressPolicy, resolver: Resolver, url: str, timeouts: Timeouts | None = None
) -> httpx.Response:
    async with guarded_client(policy, timeouts or Timeouts(), resolve=resolver) as client:
        return await client.get(url)


async def test_the_connection_goes_to_the_address_that_was_judged(vendor: FakeVendor) -> None:
    vendor.answers(Answer.of_json({}))
    resolver = Resolver(["127.0.0.1"], ["169.254.169.254"])
    response = await fetched(LISTED, resolver, f"http://llm.test:{vendor.port}/a?b=c")
    assert response.status_code == 200
    assert resolver.asked == ["llm.test"]
    assert vendor.seen.headers["host"] == f"llm.test:{vendor.port}"
    assert vendor.seen.path == "/a?b=c"


@pytest.mark.parametrize(
    ("policy", "host", "addresses"),
    [
        (ANY, "rebound.test", ["127.0.0.1"]),
        (ANY, "rebound.test", ["93.184.215.14", "10.0.0.1"]),
        (ANY, "rebound.test", ["::ffff:127.0.0.1"]),
        (LISTED, "llm.test", ["169.254.169.254"]),
        (LISTED, "llm.test", ["127.0.0.1", "fe80::1"]),
        (AddressPolicy(allow_loopback=True), "localhost", ["93.184.215.14"]),
    ],
)
async def test_a_name_that_resolves_to_a_forbidden_address(
    vendor: FakeVendor, policy: AddressPolicy, host: str, addresses: list[str]
) -> None:
    with pytest.raises(ForbiddenAddress) as caught:
        await fetched(policy, Resolver(addresses), f"http://{host}:{vendor.port}/")
    assert caught.value.host == host
    assert vendor.connections == 0


async def test_a_vendors_host_must_be_at_a_global_address() -> None:
    with pytest.raises(ForbiddenAddress, match=r"which is at 10\.0\.0\.1, is not a global address"):
        await fetched(AddressPolicy(), Resolver(["10.0.0.1"]), "https://api.openai.com/v1")


async def test_the_next_address_is_tried_when_one_does_not_answer(vendor: FakeVendor) -> None:
    vendor.answers(Answer.of_json({}))
    # Nobody listens on the second of these loopback addresses.
    resolver = Resolver(["127.0.0.2", "127.0.0.1"])
    response = await fetched(LISTED, resolver, f"http://llm.test:{vendor.port}/")
    assert response.status_code == 200


async def test_nobody_listens() -> None:
    with pytest.raises(httpx.ConnectError):
        await fetched(LISTED, Resolver(["127.0.0.1"]), f"http://llm.test:{free_port()}/")


async def test_a_name_without_address() -> None:
    with pytest.raises(httpx.ConnectError, match="has no address"):
        await fetched(LISTED, Resolver([]), "http://llm.test/")


async def test_the_systems_resolver_does_not_know_the_name() -> None:
    policy = AddressPolicy.of_hosts("no-such-host.invalid")
    async with guarded_client(policy, Timeouts()) as client:
        with pytest.raises(httpx.ConnectError, match="could not be resolved"):
            await client.get("http://no-such-host.invalid/")


async def test_redirects_are_not_followed_and_proxies_not_used(
    vendor: FakeVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    vendor.answers(Answer.of_json({}, 302, location="http://169.254.169.254/"))
    response = await fetched(LISTED, Resolver(["127.0.0.1"]), f"http://llm.test:{vendor.port}/")
    assert response.status_code == 302
    assert len(vendor.requests) == 1


def certificate_for(name: str, folder: Path) -> ssl.SSLContext:
    """A server's context with a certificate of its own making, which lies in `ca.pem`."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    (folder / "ca.pem").write_bytes(pem)
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "server.pem").write_bytes(pem + secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context


@pytest.mark.parametrize(("name", "trusted"), [("llm.test", True), ("other.test", False)])
async def test_tls_goes_by_the_name(
    name: str, trusted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = certificate_for(name, tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    async with fake_vendor(Answer.of_json({}), tls=context) as vendor:
        url = f"https://llm.test:{vendor.port}/"
        if trusted:
            response = await fetched(LISTED, Resolver(["127.0.0.1"]), url)
            assert response.status_code == 200
        else:
            with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                await fetched(LISTED, Resolver(["127.0.0.1"]), url)


async def test_no_cookie_is_kept_for_the_next_call(vendor: FakeVendor) -> None:
    vendor.answers(Answer.of_json({}, set_cookie="session=of-another-workspace; Path=/"))
    async with guarded_client(AddressPolicy(allow_loopback=True), Timeouts()) as client:
        for _ in range(2):
            assert (await client.get(vendor.url)).headers["set-cookie"]
    assert len(vendor.requests) == 2
    assert "cookie" not in vendor.seen.headers
