"""Load follows a day and a week, and comes in bursts (simulation.md, equation 15)."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.dynamics.load import Load, LoadProfile, day_shape, week_shape


def test_the_peak_of_a_day_is_one_and_a_half_to_three_times_its_trough() -> None:
    shape = day_shape(np.arange(0.0, 24.0, 0.1))
    assert 1.5 <= shape.max() / shape.min() <= 3.0
    assert shape.mean() == pytest.approx(1.0, abs=0.01)
    assert 12.0 < 0.1 * shape.argmax() < 20.0


def test_weekends_are_quieter_and_nothing_jumps() -> None:
    hours = np.arange(0.0, 168.0, 0.25)
    week = week_shape(hours)
    assert week_shape(np.array([36.0]))[0] == 1.0
    assert week_shape(np.array([5 * 24 + 12.0]))[0] == 0.8
    assert week_shape(np.array([6 * 24 + 12.0]))[0] == 0.75
    assert np.abs(np.diff(np.append(week, week[0]))).max() < 0.02


def test_a_run_begins_at_its_hour_and_day_and_constant_load_stays() -> None:
    profile = LoadProfile([Load(2.0), Load(diurnal=True, hour=15.0, day=6)])
    factor = profile.factor(3600.0, profile.start())
    assert factor[0] == 2.0
    assert factor[1] == pytest.approx(0.75 * day_shape(np.array([16.0]))[0])


def test_bursts_last_for_most_of_a_minute_and_average_out() -> None:
    profile = LoadProfile([Load(diurnal=True)])
    rng = np.random.default_rng(1)
    burst, seen = profile.start(), []
    for _ in range(40_000):
        burst = profile.advance(burst, rng.standard_normal(1), 2.0)
        seen.append(float(burst[0]))
    assert np.std(seen) == pytest.approx(0.04, rel=0.1)
    correlation = np.corrcoef(seen[:-20], seen[20:])[0, 1]
    assert correlation == pytest.approx(np.exp(-40.0 / 45.0), abs=0.08)
