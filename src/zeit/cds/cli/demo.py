"""cds-demo: one import, to look at.

An FTP server of our own on the loopback interface offers the articles of the
directory ``samples``; ``zeit.cds.main.import_`` takes them into a spool.
"""
import argparse
import contextlib
import filecmp
import logging
import shutil
import sys
import tempfile
import threading
from pathlib import Path

from gocept.filestore.filestore import FileStore

import zeit.cds.main


SAMPLES = Path(__file__).parents[1] / 'samples'
HOST, USER, PASSWORD = '127.0.0.1', 'demo', 'demo'


@contextlib.contextmanager
def ftp_server(directory):
    """A server over the directory, in a thread of its own; gives its port."""
    from pyftpdlib.authorizers import DummyAuthorizer
    from pyftpdlib.handlers import FTPHandler
    from pyftpdlib.servers import FTPServer

    class Handler(FTPHandler):
        authorizer = DummyAuthorizer()

    def serve():
        while not stopped.is_set():
            server.ioloop.loop(timeout=0.1, blocking=False)

    Handler.authorizer.add_user(
        USER, PASSWORD, str(directory), perm='elradfmwMT')
    server = FTPServer((HOST, 0), Handler)
    # Without a handler pyftpdlib would write its own log to the terminal.
    logging.getLogger('pyftpdlib').addHandler(logging.NullHandler())
    stopped = threading.Event()
    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield server.address[1]
    finally:
        stopped.set()
        thread.join()
        server.close_all()


@contextlib.contextmanager
def log_on(stream):
    """Show what zeit.cds logs at INFO and above on the stream."""
    logger = logging.getLogger('zeit.cds')
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter('  %(message)s'))
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def prepare_spool(path):
    """A spool, with nothing unread in it: a former run's files are read."""
    spool = FileStore(str(path))
    path.mkdir(parents=True, exist_ok=True)
    spool.prepare()
    for name in spool.list('new'):
        spool.move(name, 'new', 'cur')
    return spool


def show(title, directory):
    """Print the names and the sizes of the files."""
    print(title)
    entries = sorted(Path(directory).iterdir())
    for entry in entries:
        print('  %7d bytes  %s' % (entry.stat().st_size, entry.name))
    if not entries:
        print('  nothing')
    print()


def run(path):
    """Import the samples into a spool at the path; did all arrive?"""
    with tempfile.TemporaryDirectory() as offered:
        shutil.copytree(SAMPLES, offered, dirs_exist_ok=True)
        names = [entry.name for entry in SAMPLES.iterdir()]
        prepare_spool(path)
        with ftp_server(offered) as port:
            show('On the server, ftp://%s:%d/' % (HOST, port), offered)
            print('The log of the import')
            with log_on(sys.stdout):
                zeit.cds.main.import_(
                    str(path), HOST, port, USER, PASSWORD, '/')
            print()
        show('In the spool, %s' % (path / 'new'), path / 'new')
        show('Left on the server', offered)
        same, _, _ = filecmp.cmpfiles(
            SAMPLES, path / 'new', names, shallow=False)
        return len(same) == len(names) and not any(Path(offered).iterdir())


def main(argv=None):
    """The command; gives its exit status: 0 if every article arrived."""
    parser = argparse.ArgumentParser(
        prog='cds-demo',
        description='Import sample articles from an FTP server that runs '
                    'as long as this command.')
    parser.add_argument(
        'directory', nargs='?', default='cds-demo', type=Path,
        help='the spool, made if missing (default: %(default)s)')
    path = parser.parse_args(argv).directory.absolute()
    try:
        import pyftpdlib  # noqa: F401
    except ImportError:
        print('cds-demo: the FTP server is missing; install it with: '
              "pip install 'zeit.cds[demo]'", file=sys.stderr)
        return 1
    try:
        if run(path):
            return 0
    except OSError as error:
        print('cds-demo: %s' % error, file=sys.stderr)
        return 1
    print('cds-demo: not every article arrived; the log above says why.',
          file=sys.stderr)
    return 1
