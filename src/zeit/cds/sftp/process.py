"""The `ssh` that carries a session: how it is started and ended, and why it failed."""
import contextlib
import logging
import os
import re
import signal
import socket
import subprocess

from zeit.cds.interfaces import (
    ConfigurationError,
    ConnectionLost,
    LoginRefused,
    PermanentError,
    Unreachable,
    UntrustedServer,
)
from zeit.cds.sftp import settings
from zeit.cds.sftp.askpass import Askpass
from zeit.cds.text import phrase, printable


log = logging.getLogger(__name__)

GRACE = 1.0             # seconds that it has for its end
MOST = 64 * 1024        # bytes of what it says that are of interest
LANGUAGE = {'LC_ALL': 'C.UTF-8'}
DEBUG = re.compile(r'^(?:debug\d: |OpenSSH_|\s*$|@+$)')
KEY = re.compile(r'^debug1: Server host key: (\S+) (\S+)', re.MULTILINE)
UNREACHABLE = re.compile(r'Could not resolve hostname|connect to (?:host|address) |Connection '
                         r'timed out during banner exchange|No route to host')
ACCEPTED = r'(?m)^debug1: Server accepts key: (.+) \S+ \S+(?: explicit| agent|$)'
REFUSED = re.compile(r'Permission denied \(|Too many authentication failures')
# What can't change by itself: no common algorithm, a configuration that is wrong
HOPELESS = re.compile(r'Unable to negotiate|Bad configuration|bad configuration|subsystem request '
                      r'failed|Bad owner or permissions|Can\'t open user config|hostname contains '
                      r'invalid|remote username contains invalid')


class SSH:
    """A running ssh, whose input and output is `socket`, non-blocking."""

    def __init__(self, feed, own):
        """
        feed -- IFeed
        own -- ISFTPSettings
        Raises ConfigurationError.
        """
        self._feed, self._own = feed, own
        self._closed = False
        self._said = os.memfd_create('ssh')     # however much it says, it never has to wait
        self._askpass = Askpass(
            os.fsencode(feed.password) if feed.password else None, settings.passphrase(own))
        try:
            self.socket, theirs = socket.socketpair()
            with theirs:
                self._popen = self._start(theirs)
        except BaseException:
            self._askpass.close()
            os.close(self._said)
            raise
        self.socket.setblocking(False)

    def _start(self, theirs):
        environment = {**os.environ, **LANGUAGE, **self._askpass.environment}
        environment.pop('CDS_PASSWORD', None)
        try:
            # In a session of its own, Ctrl-C ends us, and not what we need for giving back the
            # lock; nor can it ask at the terminal.
            return subprocess.Popen(
                settings.command(self._feed, self._own), stdin=theirs, stdout=theirs,
                stderr=self._said, env=environment, start_new_session=True)
        except OSError as e:
            self.socket.close()
            raise ConfigurationError(
                'The program ssh, which carries SFTP, cannot be started: %s. Install it: package '
                'openssh-client.' % e.strerror) from e

    def logged_in(self):
        """It needs no password any more."""
        self._askpass.close()

    @property
    def said(self):
        """What it said so far: str."""
        return os.pread(self._said, MOST, 0).decode('utf-8', 'surrogateescape')

    def close(self):
        """End it; may be called twice."""
        if self._closed:
            return
        self._closed = True
        self.socket.close()
        self._askpass.close()
        self._end()
        os.close(self._said)

    def _end(self):
        """With a signal, it says goodbye to the server before it ends."""
        for number in signal.SIGTERM, signal.SIGKILL:
            with contextlib.suppress(ProcessLookupError):
                self._popen.send_signal(number)
            try:
                return self._popen.wait(GRACE)
            except subprocess.TimeoutExpired:
                log.debug('ssh does not end.')

    # ------------------------------------------------------------ why it failed

    def explain(self, error):
        """What has ended the connection: the exception to raise.

        error -- exception: what we noticed of it
        """
        if self._closed:
            return ConnectionLost('The session has ended.')
        if isinstance(error, TimeoutError):
            return ConnectionLost('The server was silent for too long: %s' % error)
        with contextlib.suppress(subprocess.TimeoutExpired):    # its last words
            self._popen.wait(GRACE)
        said = self.said
        for line in said.splitlines():
            log.debug('ssh: %s', printable(line))
        lines = [line for line in said.splitlines() if not DEBUG.match(line)]
        return self._exception(said, printable(' '.join(lines)) or phrase(error))

    def _exception(self, said, text):
        if 'Host key verification failed' in said:
            return self._untrusted(said, text)
        if REFUSED.search(text):
            return self._refused(said, text)
        if UNREACHABLE.search(text):
            error = Unreachable(text)
            error.add_note('Check host name and port, the network, and whether the server runs.')
            return error
        if HOPELESS.search(text):
            error = PermanentError(text)
            if 'subsystem' in text:
                error.add_note('The server lets %s log in, but has no SFTP: ask its operator.' % (
                    printable(self._feed.user)))
            return error
        return ConnectionLost(text)

    def _refused(self, said, text):
        error = LoginRefused(text)
        if key := self._locked_key(said):
            error.add_note('The key %s could not be used: it is protected by a passphrase, %s' % (
                printable(key), 'and the one in %s does not fit.' % self._own.passphrase_file
                if self._own.passphrase_file else
                'but there is none. Give a file with it as connection.passphrase_file.'))
            return error
        error.add_note(
            'The server accepted neither a key nor a password of %s. In brackets is what it would '
            'take: publickey is a key file (connection.identity, ~/.ssh, an agent) whose public '
            'half the server has, password and keyboard-interactive are the password%s.' % (
                printable(self._feed.user),
                '' if self._feed.password else ', of which none was given'))
        return error

    def _locked_key(self, said):
        """The key file that wants (another) passphrase: str, or None."""
        if accepted := re.findall(ACCEPTED, said):      # and then it did not sign
            return accepted[-1]
        if (path := self._own.identity) is not None:
            with contextlib.suppress(OSError), open(path, 'rb') as f:
                if b'ENCRYPTED' in f.read(200):     # in the older format, whose public half is not
                    return path                     # to be seen

    def _untrusted(self, said, text):
        kind, fingerprint = KEY.findall(said)[-1] if KEY.search(said) else ('', 'not told')
        feed = self._feed
        place = feed.hostname if feed.port == settings.PORT else '[%s]:%d' % (
            feed.hostname, feed.port)
        if changed := 'IDENTIFICATION HAS CHANGED' in said:
            text = 'The host key of %s has changed: somebody may be in between.' % place
        elif 'REVOKED' in said:
            text = 'The host key of %s was revoked.' % place
        else:
            text = 'The host key of %s is not known.' % place
        error = UntrustedServer('%s Its fingerprint is %s (%s).' % (
            text, printable(fingerprint), printable(kind)))
        files = self._own.known_hosts or '~/.ssh/known_hosts'
        error.add_note(
            'Ask the operator of the server for its fingerprint. If it is this one, %sadd the line '
            'that `ssh-keyscan -t %s %s%s` prints to %s; nothing was sent to that server.' % (
                'remove the old key there (ssh-keygen -R "%s"%s) and ' % (
                    place, ' -f ' + self._own.known_hosts if self._own.known_hosts else '')
                if changed else '', kind.removeprefix('ssh-').partition('-')[0] or 'ed25519',
                '' if feed.port == settings.PORT else '-p %d ' % feed.port, feed.hostname, files))
        return error
