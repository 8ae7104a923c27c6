"""Which owners of locks are dead, by the heartbeats of their runs."""
import logging

import zope.interface

from zeit.cds.fleet.crew import Crew
from zeit.cds.interfaces import ILockOwners, JournalError


log = logging.getLogger('zeit.cds')


@zope.interface.implementer(ILockOwners)
class Owners:
    """See ILockOwners."""

    def __init__(self, database):
        """
        database -- callable that gives this process' Database, or None
        """
        self._database = database

    def over(self, owner):
        database = self._database()
        if database is None:
            return ''
        try:
            return Crew(database).verdict(owner)
        except JournalError as e:
            log.debug('Whether %s lives cannot be told: %s', owner, e)
            return ''
