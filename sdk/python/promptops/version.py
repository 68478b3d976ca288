"""The version of this SDK, which the server shows in its list of live clients."""

VERSION = "0.1.0"
USER_AGENT = f"promptops-python/{VERSION}"
