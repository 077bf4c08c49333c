"""Every id of the page, in one place."""

from __future__ import annotations

ADDRESS = "address"
CLOCK = "tick"
UPDATE = "update"
SEEN = "seen"
RENDERED = "rendered"
TOPOLOGY_KEY = "topology-key"
BANNER = "banner"
CONNECTION = "connection"
SIMULATED_TIME = "simulated-time"
HEALTH = "system-health"
SYSTEM_RISK = "system-risk"
GRAPH = "graph"
FIT = "graph-fit"
PANEL_TITLE = "panel-title"
PANEL_STATUS = "panel-status"
PANEL_RISK = "panel-risk"
PANEL_TYPE = "panel-type"
PANEL_ADVICE = "panel-advice"
PANEL_NEEDS = "panel-needs"
CHARTS = "charts"
FEATURES = "features"
SHOW_FEATURES = "show-features"
TARGET = "fault-target"
KIND = "fault-kind"
EFFECT = "fault-effect"
DURATION = "fault-duration"
INTENSITY = "fault-intensity"
RAMP = "fault-ramp"
INJECT = "inject"
CHAOS_MESSAGE = "chaos-message"
STOP_ALL = "stop-all"
NO_FAULTS = "no-faults"
RESET = "reset"
RESET_DIALOG = "reset-dialog"
RESET_CONFIRM = "reset-confirm"
RESET_CANCEL = "reset-cancel"
RESET_MESSAGE = "reset-message"
EVENTS_EMPTY = "events-empty"

FAULT_SLOTS = 8
EVENT_SLOTS = 40
CARD_METRICS = ("cpu", "memory", "latency", "errors", "throughput", "availability")


def card(service: str) -> dict[str, str]:
    """Card of a service; a click selects it."""
    return {"type": "card", "service": service}


def card_part(service: str, part: str) -> str:
    """Leaf of a card: a metric, "status", "risk" or "fault"."""
    return f"card-{service}-{part}"


def fault_row(slot: int) -> str:
    """Row of a fault that acts."""
    return f"fault-{slot}"


def fault_text(slot: int) -> str:
    """Text of that row."""
    return f"fault-{slot}-text"


def stop_button(slot: int) -> dict[str, str | int]:
    """Button that ends that fault."""
    return {"type": "stop", "slot": slot}


def event_row(slot: int, part: str) -> str:
    """Leaf of a row of the event list: "row", "time" or "text"."""
    return f"event-{slot}-{part}"
