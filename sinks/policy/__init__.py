"""What is said to whom and when, and what is done about it: pure, told the time with every call."""

from sinks.policy.policy import Out, Policy
from sinks.policy.rules import Quiet, Rules

__all__ = ["Out", "Policy", "Quiet", "Rules"]
