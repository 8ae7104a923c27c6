"""pyftpdlib as a program: pyftpd.py SETTINGS, the path of a JSON file.

It is a process of its own so that server and client don't share one
interpreter lock. The settings are what `zeit.cds.testing.servers.PyFTPD`
writes.
"""
import json
import logging
import sys

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer


PERMISSIONS = 'elradfmwMT'


def handler(settings):
    """Return the handler class for one server."""
    base = {None: plain, 'explicit': explicit,
            'implicit': implicit}[settings['tls']]()
    authorizer = DummyAuthorizer()
    authorizer.add_user(settings['user'], settings['password'],
                        settings['directory'],
                        perm=settings['handler'].pop('permissions', PERMISSIONS))
    return type('Handler', (base,), dict(
        settings['handler'], authorizer=authorizer,
        certfile=settings['certificate']))


def plain():
    return FTPHandler


def explicit():
    from pyftpdlib.handlers import TLS_FTPHandler
    return TLS_FTPHandler


def implicit():

    class Implicit(explicit()):
        """The client begins with the TLS handshake, before any reply."""

        def handle(self):
            self.secure_connection(self.ssl_context)
            super().handle()

    return Implicit


def main():
    with open(sys.argv[1]) as f:
        settings = json.load(f)
    logging.basicConfig(level=logging.WARNING)
    server = FTPServer((settings['host'], settings['port']), handler(settings))
    server.max_cons = 512
    server.max_cons_per_ip = 0
    server.serve_forever()


if __name__ == '__main__':
    main()
