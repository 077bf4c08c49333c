"""How many streams of a kind may be open, of all systems together."""

from __future__ import annotations

from server.errors import too_many_streams


class StreamSlots:
    """Counts open streams; used from the event loop only.

    Parameters
    ----------
    limit
        Maximum number of open streams.

    Attributes
    ----------
    taken
        Number of open streams.
    """

    def __init__(self, limit: int) -> None:
        self.limit, self.taken = limit, 0

    def take(self) -> None:
        """Open a stream.

        Raises
        ------
        ServerError
            TOO_MANY_STREAMS.
        """
        if self.taken >= self.limit:
            raise too_many_streams(self.limit)
        self.taken += 1

    def give_back(self) -> None:
        """Close a stream."""
        self.taken -= 1
