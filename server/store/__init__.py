"""Records that outlive the process: where they are, their tables, and who writes them."""

from server.store.database import Store, open_store
from server.store.place import Place, PlaceError, StoreError, place

__all__ = ["Place", "PlaceError", "Store", "StoreError", "open_store", "place"]
