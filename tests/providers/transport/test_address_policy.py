"""Which addresses may be called, as far as that is told without a connection."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptops_providers.transport.address_policy import (
    VENDOR_HOSTS,
    AddressPolicy,
    ForbiddenAddress,
    HostPattern,
    Trust,
    literal_address,
)

VENDORS = AddressPolicy()
DEVELOPMENT = AddressPolicy(allow_loopback=True)
LISTED = AddressPolicy.of_hosts("llm.corp, *.example.org:8443, 10.0.0.5, [fd00::7]:80")
ANY = AddressPolicy.of_hosts("*, llm.corp")

NEVER = (
    "169.254.169.254",
    "169.254.1.1",
    "0.0.0.0",
    "0.1.2.3",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "::",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "::ffff:169.254.169.254",
    "::169.254.169.254",
    "2002:a9fe:a9fe::1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a9fe:a9fe",
    "2001:0:a9fe:a9fe:0:0:5601:5601",
)
PRIVATE = ("10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "fd00::1", "::ffff:10.0.0.1")
LOOPBACK = ("127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1")
GLOBAL = ("93.184.215.14", "2606:4700::1111")


def refusal(policy: AddressPolicy, url: str) -> str:
    with pytest.raises(ForbiddenAddress) as caught:
        policy.check_url(url)
    return caught.value.sentence


def allows(address: str, trust: Trust) -> bool:
    try:
        VENDORS.check_address("host", ipaddress.ip_address(address), trust)
    except ForbiddenAddress:
        return False
    return True


@pytest.mark.parametrize("address", NEVER)
@pytest.mark.parametrize("trust", Trust)
def test_some_addresses_are_never_called(address: str, trust: Trust) -> None:
    assert not allows(address, trust)


@pytest.mark.parametrize("address", NEVER)
def test_not_even_when_they_are_listed(address: str) -> None:
    host = f"[{address}]" if ":" in address else address
    sentence = refusal(AddressPolicy.of_hosts(host), f"http://{host}/")
    assert "is never called" in sentence


@pytest.mark.parametrize(
    ("addresses", "trusts"),
    [
        (PRIVATE, {Trust.LISTED}),
        (LOOPBACK, {Trust.LISTED, Trust.LOOPBACK}),
        (GLOBAL, {Trust.LISTED, Trust.VENDOR, Trust.GLOBAL}),
    ],
)
def test_what_a_host_may_resolve_to(addresses: tuple[str, ...], trusts: set[Trust]) -> None:
    for address in addresses:
        assert {trust for trust in Trust if allows(address, trust)} == trusts, address


def test_tools_call_no_vendor_and_name_their_own_setting() -> None:
    assert refusal(AddressPolicy.of_tools(), "https://api.openai.com/") == (
        "host api.openai.com is not allowed, list it in PROMPTOPS_TOOL_HOSTS to allow it"
    )
    listed = AddressPolicy.of_tools("api.example.org", allow_loopback=True)
    assert listed.check_url("http://api.example.org/x").host == "api.example.org"
    assert listed.check_url("http://127.0.0.1:9/").port == 9


@pytest.mark.parametrize("host", VENDOR_HOSTS)
def test_the_vendors_own_hosts_are_called_by_https_only(host: str) -> None:
    assert VENDORS.check_url(f"https://{host.upper()}./v1").host == f"{host}."
    assert refusal(VENDORS, f"http://{host}/") == f"host {host} is called by https only"
    assert f"host {host} is not allowed" in refusal(LISTED, f"https://{host}/")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:11434",
        "http://localhost",
        "https://api.localhost/",
        "http://LOCALHOST./",
        "http://[::1]:8080/",
        "http://[::ffff:127.0.0.1]/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
    ],
)
def test_loopback_in_all_spellings(url: str) -> None:
    DEVELOPMENT.check_url(url)
    sentence = refusal(VENDORS, url)
    assert "is not allowed, list it in PROMPTOPS_PROVIDER_HOSTS to allow it" in sentence
    if "localhost" not in url.lower():  # a name, which is judged when it is resolved
        refusal(ANY, url)


@pytest.mark.parametrize(
    "url",
    [
        "http://10.1/",
        "http://0xA9FEA9FE/",
        "http://2852039166/",
        "http://0177.0.0.1/",
        "http://0251.0376.0251.0376/",
        "http://[::ffff:a9fe:a9fe]/",
        "http://169.254.169.254./latest/meta-data",
    ],
)
def test_other_literals_in_all_spellings(url: str) -> None:
    for policy in (VENDORS, DEVELOPMENT, LISTED, ANY):
        refusal(policy, url)


@pytest.mark.parametrize(
    "url",
    [
        "http://llm.corp",
        "https://LLM.corp:9000/x",
        "http://a.example.org:8443",
        "http://a.b.example.org:8443",
        "http://10.0.0.5:1",
        "http://[fd00::7]/",
    ],
)
def test_listed_hosts(url: str) -> None:
    LISTED.check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://a.example.org",
        "http://example.org:8443",
        "http://badexample.org:8443",
        "http://llm.corp.evil.com",
        "http://[fd00::7]:81/",
        "http://10.0.0.6",
        "http://localhost",
    ],
)
def test_hosts_that_are_not_listed(url: str) -> None:
    assert "is not allowed, list it in PROMPTOPS_PROVIDER_HOSTS" in refusal(LISTED, url)


def test_any_host_is_one_at_a_global_address() -> None:
    ANY.check_url("http://example.com")
    ANY.check_url("http://93.184.215.14")
    assert "host 10.0.0.1 is not a global address, list the host in" in refusal(
        ANY, "http://10.0.0.1"
    )
    assert ANY.trust("example.com", 80) is Trust.GLOBAL
    assert ANY.trust("llm.corp", 80) is Trust.LISTED


def test_the_setting_that_refusals_name_can_be_another() -> None:
    policy = AddressPolicy.of_hosts("a", setting="TOOL_HOSTS")
    assert refusal(policy, "http://b") == "host b is not allowed, list it in TOOL_HOSTS to allow it"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://llm.corp/", "must begin with http"),
        ("file:///etc/passwd", "must begin with http"),
        ("llm.corp", "must begin with http"),
        ("", "must begin with http"),
        ("http://", "must begin with http"),
        ("http://user:secret@llm.corp/", "must not hold a user name or a password"),
        ("http://llm.corp:99999/", "port 99999"),
        ("http://[::1/", "not a URL"),
        ("http://a\x00b/", "not a URL"),
    ],
)
def test_what_is_no_address_at_all(url: str, words: str) -> None:
    sentence = refusal(LISTED, url)
    assert words in sentence
    assert "secret" not in sentence


@pytest.mark.parametrize(
    "text",
    [
        "http://a",
        "a/b",
        "a b",
        "*a",
        "a.*.b",
        "**",
        "*.",
        "a:",
        "a:0",
        "a:65536",
        "::1",
        "[x]",
        "@",
    ],
)
def test_patterns_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="is not a host"):
        HostPattern.parse(text)


def test_patterns_are_kept_in_one_spelling() -> None:
    assert HostPattern.parse(" LLM.Corp.:80 ") == HostPattern("llm.corp", 80)
    assert HostPattern.parse("*.Bücher.example") == HostPattern("*.xn--bcher-kva.example")
    assert HostPattern.parse("0x7f.1") == HostPattern("127.0.0.1")
    assert HostPattern.parse("*:443") == HostPattern("*", 443)
    assert AddressPolicy.of_hosts(" , ") == AddressPolicy()


@given(st.integers(0, 2**32 - 1))
def test_an_ipv4_address_is_known_in_every_spelling(number: int) -> None:
    address = ipaddress.IPv4Address(number)
    a, b, c, d = address.packed
    spellings = (
        str(address),
        f"{address}.",
        str(number),
        hex(number),
        f"0{number:o}",
        f"{a}.{(b << 16) + (c << 8) + d}",
        f"{a:#x}.0{b:o}.{(c << 8) + d}",
    )
    assert {literal_address(text) for text in spellings} == {address}


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_within_an_ipv6_one_is_judged_as_itself(
    address: ipaddress.IPv4Address,
) -> None:
    number = int(address)
    for within in (
        (0xFFFF << 32) + number,
        (0x2002 << 112) + (number << 80),
        (0x64FF9B << 96) + number,
    ):
        outer = str(ipaddress.IPv6Address(within))
        for trust in Trust:
            assert allows(outer, trust) == allows(str(address), trust)
