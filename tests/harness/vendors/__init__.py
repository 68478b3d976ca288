"""A vendor on loopback that answers what a test tells it to, byte by byte."""

from harness.vendors.server import CUT, Answer, FakeVendor, Hold, SeenRequest, fake_vendor

__all__ = ["CUT", "Answer", "FakeVendor", "Hold", "SeenRequest", "fake_vendor"]
