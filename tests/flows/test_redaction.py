from promptops_flows.redaction import Redactor


def test_replaces_the_secret_wherever_it_stands() -> None:
    redact = Redactor(["sk-12345", None, ""])
    assert redact("key sk-12345, again sk-12345") == "key [redacted], again [redacted]"


def test_knows_the_form_that_stands_in_a_url() -> None:
    assert Redactor(["a/b+c d"])("?key=a%2Fb%2Bc%20d") == "?key=[redacted]"


def test_the_longer_of_two_secrets_goes_as_a_whole() -> None:
    assert Redactor(["secret", "secret-tail"])("secret-tail") == "[redacted]"


def test_words_stay_when_the_secret_is_hardly_one() -> None:
    assert Redactor(["a"])("a text") == "a text"
