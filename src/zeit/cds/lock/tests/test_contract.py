"""Our lock keeps the contract."""
import unittest

from zeit.cds.lock.directory import Tuning
from zeit.cds.lock.lockfile import LockFile
from zeit.cds.lock.tests.local import Plain
from zeit.cds.testing.contracts.lock import LockContract


QUICK = Tuning(mutex_grace=0.6, mutex_wait=1.5)


class OnFiles(Plain, LockContract, unittest.TestCase):

    def new_lock(self):
        return LockFile(QUICK)
