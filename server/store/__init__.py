"""Records that outlive the process: where they are, their tables, and who writes them."""

from server.store.database import Store, open_store
from server.store.location import StoreError, StoreLocation, StoreLocationError, locate

__all__ = ["Store", "StoreError", "StoreLocation", "StoreLocationError", "locate", "open_store"]
