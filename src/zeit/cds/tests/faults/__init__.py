"""What goes wrong on a server, and what an import makes of it: a table.

A row is a `Fault`. What it doesn't promise otherwise is this: all files are published, nothing
stays on the server, no lock, nothing in tmp; no warning is logged; the run ends with success. After
each row, when the server behaves again, one plain run publishes what is left, once, and leaves
nothing behind.
"""
from zeit.cds.tests.faults.copies import COPIES
from zeit.cds.tests.faults.fault import ALL, DAY, Fault, FILES, NAMES, PASSWORD
from zeit.cds.tests.faults.files import FETCHING, RECOVERY, REMOVING
from zeit.cds.tests.faults.listings import LISTING
from zeit.cds.tests.faults.modes import ACTIVE, AHEAD, CHARACTERS
from zeit.cds.tests.faults.sessions import LOCKING, LOGIN, PORTS, SHAPED


__all__ = ['ALL', 'DAY', 'FAULTS', 'FILES', 'Fault', 'NAMES', 'PASSWORD']

FAULTS = (LOGIN + PORTS + SHAPED + LOCKING + LISTING + FETCHING + COPIES + REMOVING
          + RECOVERY + CHARACTERS + ACTIVE + AHEAD)
