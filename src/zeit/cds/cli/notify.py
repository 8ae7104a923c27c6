"""Tells the service manager how the watch is: sd_notify(3), a datagram to a socket of its.

That is little, and what there is on PyPI is either a binding to a library of the system's or has
not been maintained for years.
"""
import logging
import os
import socket
import time


log = logging.getLogger('zeit.cds')

READY, STOPPING = 'READY=1', 'STOPPING=1'


class Manager:
    """Who started us, if that is systemd or the like; else nobody is told anything."""

    def __init__(self, environ=os.environ):
        """What is in the environment is for us alone, and goes from it."""
        self._address = environ.pop('NOTIFY_SOCKET', '')
        self.watchdog = _watchdog(environ)      # seconds after which it wants a sign of life; None

    def ready(self, status=''):
        self._tell(READY, *_status(status))

    def stopping(self, status=''):
        self._tell(STOPPING, *_status(status))

    def reloading(self):
        """`ready` has to follow."""
        self._tell('RELOADING=1', 'MONOTONIC_USEC=%d' % (
            time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000))

    def lives(self, status=''):
        """A sign of life; with what a person sees in `systemctl status`, one line."""
        self._tell('WATCHDOG=1', *_status(status))

    def _tell(self, *lines):
        if not self._address:
            return
        address = '\0' + self._address[1:] if self._address[0] == '@' else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.settimeout(5)      # a manager that hangs is not worth more
                sock.sendto('\n'.join(lines).encode('utf-8', 'backslashreplace'), address)
        except OSError as e:
            log.debug('The service manager cannot be told %s: %s', lines[0], e)


def _watchdog(environ):
    microseconds, pid = environ.pop('WATCHDOG_USEC', ''), environ.pop('WATCHDOG_PID', '')
    if not microseconds.isdecimal() or pid not in ('', str(os.getpid())):
        return None
    return int(microseconds) / 10**6 or None


def _status(text):
    return ['STATUS=' + text.replace('\n', ' ')] if text else []
