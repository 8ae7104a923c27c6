"""The command cds-lock: who holds which lock since when.

And, for a person who knows better, to remove one.
"""
import sys
import time

from zeit.cds import main
from zeit.cds.cli import report
from zeit.cds.cli.exchange import Command, command, complain, FAILED, most_serious, OK, status_of
from zeit.cds.interfaces import CDSError
from zeit.cds.text import printable


def lock():
    """The command cds-lock; returns its exit status."""
    return command('cds-lock', lambda prog, signals: Locks(prog, signals, sys.argv[1:]).run())


class Locks(Command):
    """cds-lock."""

    def _check_options(self):
        if self.options.break_ and not self.options.yes and not sys.stdin.isatty():
            self._parser.error('--break asks on a terminal; give --yes without one')

    def _work(self, feeds):
        statuses = []
        for feed in feeds:
            statuses.append(self._look(feed))
            if self.signals.number:
                break
        return most_serious(statuses)

    def _look(self, feed):
        locks, error, status = [], None, OK
        try:
            feed = self._with_password(feed)
            locks = main.inspect_locks(feed)
            if self.options.break_:
                status = self._break(feed, locks)
                locks = main.inspect_locks(feed)
        except CDSError as e:
            complain(self.prog, e)
            error, status = e, status_of(e, self.signals)
        self._show(feed, locks, error, status)
        return status

    def _break(self, feed, locks):
        for lock in locks:
            if lock.name == self.options.break_:
                if not self.options.yes and not agreed(
                        'Remove the lock %s? [y/N] ' % described(feed, lock)):
                    return FAILED
                main.break_lock(feed, lock)
                return OK
        print('%s: there is no lock %s of %s' % (
            self.prog, self.options.break_, report.label(feed)), file=sys.stderr)
        return FAILED

    def _show(self, feed, locks, error, status):
        if self.options.json:
            report.write(report.of_locks(feed, locks, error, status), sys.stdout)
        elif error is None:
            for lock in locks:
                print(described(feed, lock))
            if not locks:
                print('%s: no lock' % report.label(feed))


def agreed(question):
    try:
        return input(question).strip().lower() in ('y', 'yes')
    except EOFError:
        return False


def described(feed, lock):
    """A LockInfo in words, fit for a terminal, whatever lock utility it is from."""
    text = '%s: %s, held by %s' % (report.label(feed), printable(lock.name), printable(lock.owner))
    if lock.since is not None:
        text += ', written ' + time.strftime('%Y-%m-%d %H:%M:%S UTC',
                                             time.gmtime(lock.since // 10**9))
    if lock.age is not None:
        text += ' (%d s ago)' % (lock.age // 10**9)
    return text
