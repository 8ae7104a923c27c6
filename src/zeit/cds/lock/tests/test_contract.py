"""Our lock keeps the contract."""
import unittest

import zope.interface.verify

from zeit.cds.interfaces import ILock, ILockFile
from zeit.cds.lock.directory import Tuning
from zeit.cds.lock.lockfile import Lock, LockFile
from zeit.cds.lock.tests.local import Plain
from zeit.cds.testing.contracts.lock import LockContract


QUICK = Tuning(mutex_grace=0.6, mutex_wait=1.5)


class OnFiles(Plain, LockContract, unittest.TestCase):

    def new_lock(self):
        return LockFile(QUICK)


class Interfaces(unittest.TestCase):

    def test_they_are_kept(self):
        zope.interface.verify.verifyClass(ILockFile, LockFile)
        zope.interface.verify.verifyObject(ILockFile, LockFile())
        zope.interface.verify.verifyClass(ILock, Lock)
