"""How much is underway."""
from typing import NamedTuple


class Tuning(NamedTuple):
    """See above."""

    window: int = 4 * 2**20     # bytes of one file at most, and of those begun before their turn
    first: int = 2              # requests for a file whose size is not known
    small: int = 64 * 1024      # bytes; a larger file is closed, and asked about, when all is here
    begun: int = 2**20          # bytes; no larger file is opened before its turn
    ahead: int = 32             # so many files are begun before their turn
    large: int = 64 * 2**20     # bytes; from here on it pays to leave a file open, see `lingering`;
    lingering: int = 2**30      # so many bytes at most are in such files


TUNING = Tuning()
