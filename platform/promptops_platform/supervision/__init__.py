"""Keeps child processes running, and stops them when the platform stops."""

from promptops_platform.supervision.backoff import Backoff
from promptops_platform.supervision.child import ChildSpec, ChildState, Phase
from promptops_platform.supervision.supervisor import Supervisor

__all__ = ["Backoff", "ChildSpec", "ChildState", "Phase", "Supervisor"]
