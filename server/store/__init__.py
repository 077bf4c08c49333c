"""The database of records that survive a restart: location, tables, and writer."""

from server.store.database import Store, open_store
from server.store.location import StoreError, StoreLocation, StoreLocationError, locate

__all__ = ["Store", "StoreError", "StoreLocation", "StoreLocationError", "locate", "open_store"]
