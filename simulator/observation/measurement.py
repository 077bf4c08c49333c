"""What monitoring makes of an interval: whole requests, and latencies of a finite sample."""

from __future__ import annotations

import numpy as np

from telemetry.graph import FloatArray

MEMORY_NOISE_PERCENT = 0.15
# Relative deviation of a sample's statistic, times sqrt(n), for an exponential law.
MEAN_DEVIATION, P50_DEVIATION, P95_DEVIATION, P99_DEVIATION = 1.0, 1.44, 1.45, 2.16
MIN_SAMPLES = 30.0
MAX_DEVIATIONS = 3.0


def counted(
    expected: FloatArray, spread: FloatArray, normals: FloatArray, uniforms: FloatArray
) -> FloatArray:
    """Whole number with the given mean and about the given standard deviation.

    A normal deviate from 4 expected on; below, where it would be negative at times, chance only
    decides between the two whole numbers next to the mean.
    """
    deviate = expected + spread * np.minimum(expected / 4.0, 1.0) * normals
    return np.floor(np.maximum(deviate, 0.0) + uniforms)


def sampled(
    value: FloatArray, cv: FloatArray, deviation: float, samples: FloatArray, normals: FloatArray
) -> FloatArray:
    """Statistic of a finite sample of latencies.

    Parameters
    ----------
    value, cv
        The statistic of the law, and the law's coefficient of variation.
    deviation
        Relative standard deviation of the statistic times sqrt(n), if the law is exponential.
    samples, normals
        Size of the sample, and standard normal numbers.
    """
    relative = deviation * np.minimum(cv, 1.0) / np.sqrt(np.maximum(samples, MIN_SAMPLES))
    return value * (1.0 + relative * np.clip(normals, -MAX_DEVIATIONS, MAX_DEVIATIONS))


def busy_deviation(busy: FloatArray, service_s: FloatArray, interval_s: float) -> FloatArray:
    """Give the standard deviation of the mean number of busy workers over an interval (M/M/inf)."""
    return np.sqrt(2.0 * busy / (2.0 + interval_s / service_s))
