"""Risk levels, as the design defines them."""

from __future__ import annotations

from bisect import bisect
from enum import StrEnum

MEDIUM_FROM, HIGH_FROM, CRITICAL_FROM = RISES_AT = 0.3, 0.6, 0.8


class RiskLevel(StrEnum):
    """What a calibrated incident probability means to people; the levels rise."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


_LEVELS = tuple(RiskLevel)


def risk_level(probability: float) -> RiskLevel:
    """Classify a calibrated probability in [0, 1]."""
    return _LEVELS[bisect(RISES_AT, probability)]
