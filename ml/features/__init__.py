"""Features: what the model sees of a service, from frames alone."""

from ml.features.activity import active_rows
from ml.features.extractor import WARM_UP_FRAMES, FeatureExtractor
from ml.features.table import FEATURES, LEARNED, NAMES, Feature

__all__ = [
    "FEATURES",
    "LEARNED",
    "NAMES",
    "WARM_UP_FRAMES",
    "Feature",
    "FeatureExtractor",
    "active_rows",
]
