"""An FTP server in a thread of this process, for texts and experiments."""
import logging
import threading

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.ioloop import IOLoop
from pyftpdlib.servers import FTPServer


NO_LOG = logging.NullHandler()
PERMISSIONS = 'elradfmwMT'
PAUSE = 0.02                # seconds until the thread looks whether it should end


class EmbeddedServer:
    """Listens as soon as it exists, serves from `start()` to `stop()`."""

    def __init__(self, directory, port, host, user, password):
        authorizer = DummyAuthorizer()
        authorizer.add_user(user, password, str(directory), perm=PERMISSIONS)
        # Without a handler pyftpdlib changes the logging of the whole process.
        logging.getLogger('pyftpdlib').addHandler(NO_LOG)
        handler = type('Handler', (FTPHandler,), {'authorizer': authorizer})
        self._server = FTPServer((host, port), handler, ioloop=IOLoop())
        self.port = self._server.socket.getsockname()[1]
        self._stopping = threading.Event()
        self._thread = threading.Thread(
            target=self._serve, name='FTP server on port %d' % self.port, daemon=True)

    def start(self):
        self._thread.start()

    def _serve(self):
        try:
            while not self._stopping.is_set():
                self._server.ioloop.loop(timeout=PAUSE, blocking=False)
        finally:
            self._server.close_all()

    def stop(self):
        self._stopping.set()
        self._thread.join()


_running = None


def start_ftp_server(directory, port=2001, host='localhost', user='test', password='testpw'):
    """Serve `directory` by FTP, from a thread of this process.

    `port`  int; 0 lets the system choose one, `ftp_server_port()` tells it

    The port is bound when this returns. Raises RuntimeError if a server of
    this function already runs, OSError if the port is taken.
    """
    global _running
    if _running is not None:
        raise RuntimeError('The FTP server already runs on port %d. '
                           'Call stop_ftp_server() first.' % _running.port)
    server = EmbeddedServer(directory, port, host, user, password)
    server.start()
    _running = server


def ftp_server_port():
    """Return the port (int) of the running server. Raises RuntimeError without one."""
    if _running is None:
        raise RuntimeError('No FTP server runs. Call start_ftp_server(directory) first.')
    return _running.port


def stop_ftp_server():
    """End the server and its sessions; its port is free when this returns.

    May be called twice.
    """
    global _running
    if _running is not None:
        _running.stop()
        _running = None
