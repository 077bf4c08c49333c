"""Memory for arrays: asked for and freed again in every sub-step."""

from __future__ import annotations

from functools import cache

import numpy as np

_BLOCK_BYTES = 30 << 20
"""Close to the most that glibc learns from, 32 MB."""


@cache
def keep_freed_memory() -> None:
    """Let the C library keep the memory of freed arrays for the next ones.

    At first glibc gives blocks over 128 kB back to the system when they are freed, and every page
    of a new one costs a fault: a third of the time of a sub-step. Once a larger block has been
    freed it keeps all that are smaller, and up to twice as much in all (`M_MMAP_THRESHOLD` in
    mallopt(3)). Other C libraries do not care. The block is never touched, so it costs nothing.
    """
    np.empty(_BLOCK_BYTES, dtype=np.uint8)
