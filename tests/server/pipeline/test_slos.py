"""Error budgets, how fast they burn, and when somebody is told."""

from __future__ import annotations

import numpy as np
import pytest

from server.pipeline.budgets import POLICIES, Budgets, BudgetStage
from server.pipeline.objectives import OBJECTIVES, Objectives, slower_share
from server.pipeline.windows import SlidingSum
from server.records.findings import Objective, Severity, SloAlert
from tests.server.pipeline.frames import CLOCK, NAMES, frame, graph

STORE = NAMES.index("store")
SCALE = 1.0 / 60.0
ERRORS = OBJECTIVES.index(Objective.ERROR_RATE)
QUIET = {"request_count": 1.0, "throughput_rps": 0.5}


def failing(share: float, count: float = 200.0) -> dict[str, float]:
    return {
        "error_rate_percent": 100.0 * share, "request_count": count, "failed_count": share * count,
        "throughput_rps": (1.0 - share) * count / 2.0,
    }  # fmt: skip


def watch(
    values: list[dict[str, float]], *, min_rps: float = 1.0, **slo: float
) -> tuple[list[tuple[int, SloAlert]], Budgets]:
    """Watch the store with these values; the alerts that changed, with their frames."""
    watching = BudgetStage(graph(**slo), 2.0, scale=SCALE, min_rps=min_rps)
    changed = []
    for number, stated in enumerate(values):
        view, alerts = watching.update(frame(number, {"store": stated}), CLOCK.end_of(number))
        changed += [(number, alert) for alert in alerts]
    return changed, view


def of_errors(changed: list[tuple[int, SloAlert]]) -> list[tuple[int, Severity, bool]]:
    return [
        (number, alert.severity, alert.firing)
        for number, alert in changed
        if alert.objective is Objective.ERROR_RATE
    ]


def test_the_share_of_slow_requests_is_read_off_the_percentiles() -> None:
    made = frame(0, {"store": {"latency_p50_ms": 10.0, "latency_p95_ms": 100.0,
                               "latency_p99_ms": 200.0}})  # fmt: skip

    def at(limit_ms: float) -> float:
        return float(slower_share(made, np.full(len(NAMES), limit_ms))[STORE])

    assert at(10.0) == pytest.approx(0.5)
    assert at(100.0) == pytest.approx(0.05)
    assert at(200.0) == pytest.approx(0.01)
    assert at(300.0) == pytest.approx(0.01 / 5)
    assert at(0.0) == pytest.approx(1.0)
    shares = [at(limit) for limit in np.linspace(0.0, 500.0, 300)]
    assert shares == sorted(shares, reverse=True)


def test_percentiles_that_coincide_make_a_step() -> None:
    cut_off = {"latency_p50_ms": 1000.0, "latency_p95_ms": 1000.0, "latency_p99_ms": 1000.0}
    made = frame(0, {"store": cut_off})
    assert slower_share(made, np.full(len(NAMES), 500.0))[STORE] > 0.7
    assert slower_share(made, np.full(len(NAMES), 1001.0))[STORE] < 0.01


def test_bad_is_what_the_objectives_say() -> None:
    judged = Objectives.of(graph()).judge(
        frame(0, {"store": {**failing(0.25), "availability_percent": 60.0}})
    )
    bad, total = judged[:, :, STORE]
    named = dict(zip(OBJECTIVES, zip(bad, total, strict=True), strict=True))
    assert named[Objective.ERROR_RATE] == (50.0, 200.0)
    assert named[Objective.AVAILABILITY] == (pytest.approx(0.8), 2.0)
    assert named[Objective.THROUGHPUT] == (pytest.approx(10.0), 160.0)  # 75 of 80 per second
    assert named[Objective.LATENCY][1] == 200.0


def test_throughput_counts_only_while_as_much_is_asked_for() -> None:
    quiet = Objectives.of(graph()).judge(frame(0, {"store": QUIET}))
    assert (quiet[:, OBJECTIVES.index(Objective.THROUGHPUT), STORE] == 0.0).all()


def test_what_is_not_observed_is_neither_good_nor_bad() -> None:
    unseen = dict.fromkeys(
        ("latency_p50_ms", "latency_p95_ms", "latency_p99_ms", "request_count", "failed_count",
         "throughput_rps", "availability_percent"), float("nan"),
    )  # fmt: skip
    judged = Objectives.of(graph()).judge(frame(0, {"store": unseen}))
    assert (judged[:, :, STORE] == 0.0).all()


def test_an_objective_of_all_has_a_finite_burn_rate() -> None:
    _, view = watch([failing(1.0)] * 5, availability_percent=100)
    assert np.isfinite(view.long_burn).all()


def test_a_fast_burn_pages_soon_and_clears_after_it_is_over() -> None:
    changed, _ = watch([{}] * 60 + [failing(0.5)] * 20 + [{}] * 60)
    pages = [(n, firing) for n, severity, firing in of_errors(changed) if severity is Severity.PAGE]
    (first, fires), (last, clears) = pages
    # 14.4 times 1 % of a minute are 8.64 s of full failure: 18 s at half.
    assert (first, fires) == (60 + 8, True)
    assert clears is False
    assert 82 <= last <= 100


def test_a_slow_burn_makes_a_ticket_only() -> None:
    changed, view = watch([failing(0.025)] * 1200)
    assert {severity for _, severity, _ in of_errors(changed)} == {Severity.TICKET}
    assert view.long_burn[2, ERRORS, STORE] == pytest.approx(2.5 * 2400 / 4320, rel=0.05)


def test_what_is_allowed_alerts_nobody() -> None:
    changed, view = watch([failing(0.009)] * 3000)
    assert changed == []
    assert view.spent[ERRORS, STORE] == pytest.approx(0.9 * 6000 / 43_200, rel=0.01)


def test_a_quiet_service_does_not_page_and_a_busy_one_does() -> None:
    quiet = [QUIET] * 60 + [failing(1.0, count=1.0)] * 60
    changed, _ = watch(quiet)
    assert of_errors(changed) == []
    changed, _ = watch(quiet, min_rps=0.1)
    assert of_errors(changed) != []


def test_an_alert_that_fires_is_not_silenced_by_a_service_that_is_called_no_more() -> None:
    gone = {"request_count": 0.0, "throughput_rps": 0.0, "availability_percent": 0.0}
    changed, view = watch([{}] * 60 + [gone] * 60)
    down = [alert for _, alert in changed if alert.objective is Objective.AVAILABILITY]
    assert {alert.severity for alert in down} == {Severity.PAGE, Severity.TICKET}
    assert all(alert.firing for alert in down)
    assert view.request_rps[STORE] > 1.0


def test_a_burn_that_wavers_about_its_limit_is_one_alert() -> None:
    wavering = [failing(share) for share in [0.3, 0.13] * 60]
    changed, _ = watch([{}] * 60 + wavering)
    pages = [firing for _, severity, firing in of_errors(changed) if severity is Severity.PAGE]
    assert pages == [True]


def test_windows_are_those_of_the_workbook_scaled() -> None:
    stated = [(p.long_s, p.short_s, p.burn_rate) for p in POLICIES]
    assert stated == [(3600, 300, 14.4), (21_600, 1800, 6.0), (259_200, 21_600, 1.0)]
    _, view = watch([{}])
    assert [p.long_s for p in view.policies] == [60.0, 360.0, 4320.0]


@pytest.mark.parametrize("window_s", [2.0, 5.0, 60.0, 360.0, 4320.0])
def test_a_sliding_sum_is_that_of_the_last_seconds(window_s: float) -> None:
    values = np.random.default_rng(3).random(3000)
    window = SlidingSum((1,), window_s, 2.0)
    sums = np.array([float(window.add(np.array([value]))[0]) for value in values])
    frames = max(1, round(window_s / 2.0))
    bucket = -(-frames // 30)
    for t in range(frames + bucket, len(values), 7):
        shortest = values[t - frames + bucket + 1 : t + 1].sum()
        longest = values[max(0, t - frames - bucket) : t + 1].sum()
        assert shortest - 1e-3 <= sums[t] <= longest + 1e-3
