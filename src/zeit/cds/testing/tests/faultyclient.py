"""What the tests of the server that misbehaves on purpose have in common."""

import ftplib
import re
import select
import socket
import unittest

from zeit.cds.testing.faulty import FaultyServer


#: Seconds after which a client in these tests would give up.
TIMEOUT = 20

BAR = b'This is the file bar.\n' * 10

FILES = {'bar.xml': BAR, 'foo.xml': b'This is the file foo.\n'}


class Raw:
    """A client of sockets and bytes that sees what is really sent."""

    def __init__(self, server, login=True):
        self.sock = socket.create_connection(
            (server.host, server.port), TIMEOUT)
        self.stream = self.sock.makefile('rb')
        self.data = None
        if login:
            self.reply()
            self.ask('USER test')
            self.ask('PASS testpw')

    def close(self):
        for closing in (self.stream, self.sock, self.data):
            if closing is not None:
                closing.close()

    def send(self, *commands):
        self.sock.sendall(b''.join(
            command.encode('latin-1') + b'\r\n' for command in commands))

    def line(self):
        return self.stream.readline()

    def reply(self):
        """Return a reply, many lines or one."""
        lines = [self.line()]
        if lines[0][3:4] == b'-':
            while lines[-1] and lines[-1][:4] != lines[0][:3] + b' ':
                lines.append(self.line())
        return b''.join(lines)

    def ask(self, command):
        self.send(command)
        return self.reply()

    def connect(self):
        """Open a data connection."""
        port = re.search(rb'\|(\d+)\|', self.ask('EPSV'))[1]
        self.data = socket.create_connection(
            ('127.0.0.1', int(port)), TIMEOUT)

    def start(self, command):
        """Start a transfer and return its preliminary reply."""
        self.connect()
        return self.ask(command)

    def rest(self):
        """Return the rest of the data; None after an RST."""
        blocks = []
        try:
            while block := self.data.recv(65536):
                blocks.append(block)
        except ConnectionResetError:
            return None
        finally:
            self.data.close()
        return b''.join(blocks)

    def get(self, command):
        """Return the data and the last reply of a download."""
        self.start(command)
        data = self.rest()
        return data, self.reply()

    def is_silent(self):
        return not select.select([self.sock], [], [], 0.05)[0]


class FaultyTest(unittest.TestCase):

    def serve(self, *script, files=FILES, **settings):
        self.server = FaultyServer(files=files, script=script, **settings)
        self.server.start()
        self.addCleanup(self.check_and_stop, self.server)
        return self.server

    def check_and_stop(self, server):
        server.stop()
        self.assertEqual([], server.errors)

    def wait_until(self, condition):
        self.assertTrue(self.server.wait_until(condition), self.server.log)

    def raw(self, login=True):
        client = Raw(self.server, login)
        self.addCleanup(client.close)
        return client

    def ftp(self):
        client = ftplib.FTP(timeout=TIMEOUT, encoding='latin-1')
        self.addCleanup(client.close)
        client.connect(self.server.host, self.server.port)
        client.login(self.server.user, self.server.password)
        return client

    def retrieve(self, client, name='bar.xml'):
        blocks = []
        client.retrbinary('RETR ' + name, blocks.append)
        return b''.join(blocks)


def short(got):
    """Return the data and the code of the reply of a download."""
    data, reply = got
    return data, reply[:3]
