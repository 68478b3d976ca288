"""Platforms whose engine the test controls."""

from harness.controlled_platform import controlled, fake, settings

__all__ = ["controlled", "fake", "settings"]
