"""The database of records that survive a restart: location, tables, and writer."""

from server.store.database import Store, open_store
from server.store.location import StoreError, StoreLocation, StoreLocationError, locate
from server.store.writer import UndecidedError

__all__ = [
    "Store",
    "StoreError",
    "StoreLocation",
    "StoreLocationError",
    "UndecidedError",
    "locate",
    "open_store",
]
