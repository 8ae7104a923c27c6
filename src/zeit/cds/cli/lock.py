"""The command cds-lock: who holds which lock since when.

And, for a person who knows better, to remove one.
"""
import sys
import time

from zeit.cds import main
from zeit.cds.cli import report
from zeit.cds.cli.command import Command, command, FAILED, log, OK, status_of
from zeit.cds.cli.console import open_standard_files
from zeit.cds.feed import label
from zeit.cds.interfaces import CDSError
from zeit.cds.text import duration, in_words, printable


def lock():
    """The command cds-lock; returns its exit status."""
    open_standard_files()
    return command('cds-lock', lambda prog, signals: Locks(prog, signals, sys.argv[1:]).run())


class Locks(Command):
    """cds-lock."""

    def _check_options(self):
        if self.options.break_ and not self.options.yes and not sys.stdin.isatty():
            self._parser.error('--break asks on a terminal; give --yes without one')

    def work(self, feed):
        locks, error, status = [], None, OK
        try:
            locks = main.inspect_locks(feed, self.ask)
            if self.options.break_:
                status = self._break(feed, locks)
                locks = main.inspect_locks(feed, self.ask)
        except CDSError as e:
            log.error('%s', in_words(e))
            error, status = e, status_of(e, self.signals)
        self._show(feed, locks, error, status)
        return status

    def _break(self, feed, locks):
        for lock in locks:
            if lock.name == self.options.break_:
                question = 'Remove the lock %s? [y/N] ' % described(feed, lock)
                if not self.options.yes and not agreed(question):
                    return FAILED
                main.break_lock(feed, lock, self.ask)
                return OK
        log.error('There is no lock %s of %s.', self.options.break_, label(feed))
        return FAILED

    def _show(self, feed, locks, error, status):
        if self.options.json:
            self.put(report.line(report.of_locks(feed, locks, error, status)))
        elif error is None:
            self.put(''.join('%s\n' % described(feed, lock) for lock in locks)
                     or '%s: no lock\n' % label(feed))


def agreed(question):
    try:
        return input(question).strip().lower() in ('y', 'yes')
    except EOFError:
        return False


def described(feed, lock):
    """A LockInfo in words, fit for a terminal, whatever lock utility it is from."""
    text = '%s: %s, held by %s' % (label(feed), printable(lock.name), printable(lock.owner))
    if lock.since is not None:
        text += ', written ' + time.strftime(
            '%Y-%m-%d %H:%M:%S UTC', time.gmtime(lock.since // 10**9))
    if lock.age is not None:
        text += ' (%s ago)' % duration(lock.age // 10**9)
    return text
