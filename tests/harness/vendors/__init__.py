"""A vendor on loopback that responds as a test scripts it, byte by byte."""

from harness.vendors.server import CUT, Answer, FakeVendor, Hold, SeenRequest, fake_vendor

__all__ = ["CUT", "Answer", "FakeVendor", "Hold", "SeenRequest", "fake_vendor"]
