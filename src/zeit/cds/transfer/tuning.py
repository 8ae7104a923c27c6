"""Figures of a run that may be other ones."""
from typing import NamedTuple


class Tuning(NamedTuple):
    """Sizes are in bytes, times in seconds (float)."""

    # retry policy
    first_pause: float = 0.5        # before the second try; doubled each time
    longest_pause: float = 30.0
    clean_up: float = 30.0          # for removing the lock when the run's time is over, at most
    tick: float = 0.5               # after that, at the latest, a stop and the deadline are seen

    # sessions
    files_a_session: int = 8        # another session pays for its login with so many small files
    bytes_a_session: int = 16 * 2**20   # or with so many bytes
    long_line: float = 0.002        # to the server and back; on a shorter line large files wait for
                                    # disks and processors, and
    near: int = 2                   # so many further sessions are enough to keep those busy

    # jobs
    window: int = 10000             # so many files may be underway, counted from the oldest that
                                    # isn't published yet, and
    uncommitted: int = 256          # so many transferred ones (each an open file) may wait for the
                                    # disk
    group: int = 64                 # so many are worth a commit at once; fewer wait
    gather: float = 0.05            # so long for others to come, unless no worker has anything else
                                    # to do
    told: int = 1000                # files that are told of one by one, lest a hostile listing
                                    # fills the disk with log

    # transfers
    resume: int = 8 * 2**20         # a smaller file is transferred anew rather than resumed
    surplus: int = 16 * 2**20       # that may come beyond a file's size, since it may grow: no
                                    # more, lest the disk is filled
    appears: tuple = (0.1, 0.3, 1.0)    # after so long we look again for a file that the server
                                    # says it stored, and does not find
    removals: int = 4               # so many files are removed on the round trip of another: more
                                    # than files come, so that none pile up
    renames: int = 3                # so many get their names on it

    # listings
    long_listing: int = 1000        # names; servers cut longer listings off
    many: int = 500                 # files of an export; fewer names are asked for one by one
    leftovers: int = 100            # that are removed before we ask what became of them
