"""The server, waitress, in threads of its own: what it serves keeps nobody from his work."""
import errno
import logging
import os
import socket
import threading

from zeit.cds.interfaces import ConfigurationError


log = logging.getLogger('zeit.cds')

TICK = 10           # seconds between looks for who has not said anything for so long
LOOPBACK = '127.0.0.1'
LIMITS = dict(      # it serves a person or two, and a few programs
    threads=2, connection_limit=50, channel_timeout=30,
    max_request_header_size=16384, max_request_body_size=4096, ident='zeit.cds')
ADVICE = {
    errno.EADDRINUSE: 'Another program has this port, perhaps another cds-watch: `ss -ltnp` shows '
                      'which. End it, or choose another port.',
    errno.EACCES: 'Only root may use a port below 1024. Choose a higher one.',
    errno.EADDRNOTAVAIL: 'This machine has no such address. Give one of its own.',
}


def place(text):
    """(host, port) of what --http is given: 'HOST:PORT', '[IPV6]:PORT', ':PORT' or 'PORT'.

    Without a host it is loopback. Raises ValueError.
    """
    host, _, port = text.rpartition(':')
    host = host.removeprefix('[').removesuffix(']') if host.startswith('[') else host
    if not port.isascii() or not port.isdecimal() or int(port) > 65535 or (
            ':' in host and '[' not in text):
        raise ValueError(text)
    return host or LOOPBACK, int(port)


class Server:
    """Listens from the beginning, answers once it is started."""

    def __init__(self, host, port):
        """
        host -- name or address, str
        port -- int; 0: any that is free
        Raises ConfigurationError if it can't listen there, or waitress is missing.
        """
        try:
            import waitress as _needed_later  # noqa: F401
        except ImportError:
            raise ConfigurationError(
                '--http needs waitress: pip install "zeit.cds[http]"') from None
        self._socket = listening(host, port)
        self._server = self._thread = None
        self._waiting = {}      # file descriptor: what waitress waits for there
        self._over = False

    @property
    def url(self):
        host, port = self._socket.getsockname()[:2]
        return 'http://%s:%d/' % ('[%s]' % host if ':' in host else host, port)

    def start(self, application):
        """Answer by a WSGI application."""
        from waitress import create_server
        logging.getLogger('waitress').setLevel(logging.ERROR)   # that many ask is no trouble
        self._server = create_server(
            application, map=self._waiting, sockets=[self._socket], **LIMITS)
        self._thread = threading.Thread(target=self._serve, daemon=True, name='zeit.cds-http')
        self._thread.start()

    def _serve(self):
        from waitress.wasyncore import loop
        try:
            while not self._over:       # its own `run` could not be ended
                loop(TICK, use_poll=True, map=self._waiting, count=1)
        except Exception:
            log.exception('The web server has ended. All else goes on.')

    def stop(self):
        """Answer no more; who has not got all of an answer by then, never gets it."""
        if self._thread is None:
            self._socket.close()
            return
        self._over = True
        self._server.pull_trigger()
        self._thread.join(5)
        self._server.task_dispatcher.shutdown(timeout=1)
        for waiting in list(self._waiting.values()):
            waiting.close()


def listening(host, port):
    """A socket. Raises ConfigurationError, which says what to do."""
    try:
        [(family, _, _, _, address), *_] = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        return socket.create_server(address[:2], family=family)
    except OSError as e:
        error = ConfigurationError('--http: cannot listen on %s, port %d: %s' % (
            host, port, os.strerror(e.errno) if e.errno in ADVICE else e.strerror or e))
        if e.errno in ADVICE:
            error.add_note(ADVICE[e.errno])
        raise error from e
