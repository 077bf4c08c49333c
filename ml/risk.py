"""Risk levels, as the design defines them."""

from __future__ import annotations

from enum import StrEnum

MEDIUM_FROM, HIGH_FROM, CRITICAL_FROM = 0.3, 0.6, 0.8


class RiskLevel(StrEnum):
    """What a calibrated incident probability means to people."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


def risk_level(probability: float) -> RiskLevel:
    """Classify a calibrated probability in [0, 1]."""
    if probability >= CRITICAL_FROM:
        return RiskLevel.CRITICAL
    if probability >= HIGH_FROM:
        return RiskLevel.HIGH
    return RiskLevel.MEDIUM if probability >= MEDIUM_FROM else RiskLevel.LOW
