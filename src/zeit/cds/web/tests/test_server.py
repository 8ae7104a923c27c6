"""The server: where it listens, what it says if it can't, and that it ends."""
import contextlib
import http.client
import os
import socket
import threading
import unittest

from zeit.cds.interfaces import ConfigurationError
from zeit.cds.web.facts import Sources
from zeit.cds.web.pages import Pages
from zeit.cds.web.server import place, Server
from zeit.cds.web.tests.watched import some


def files():
    return set(os.listdir('/proc/self/fd'))


class Place(unittest.TestCase):

    def test_loopback_unless_told_otherwise(self):
        for text in '8000', ':8000':
            self.assertEqual(('127.0.0.1', 8000), place(text))

    def test_any_host(self):
        for text, host in (('0.0.0.0:80', '0.0.0.0'), ('[::1]:80', '::1'), ('[::]:80', '::'),
                           ('cds.example.org:80', 'cds.example.org')):
            self.assertEqual((host, 80), place(text))

    def test_what_is_none(self):
        for text in '', ':', 'host', 'host:', 'host:http', ':-1', ':65536', '::1', '::1:80', '²':
            with self.subTest(text), self.assertRaises(ValueError):
                place(text)


class Served(unittest.TestCase):

    @contextlib.contextmanager
    def server(self, host='127.0.0.1'):
        server = Server(host, 0)
        watch = some()
        server.start(Pages(Sources(lambda: None, watch), watch, lambda: ('text/plain', b'')))
        try:
            yield server
        finally:
            server.stop()

    def ask(self, server, method='GET', path='/health'):
        connection = http.client.HTTPConnection(server.url[7:-1], timeout=10)
        self.addCleanup(connection.close)
        connection.request(method, path)
        return connection.getresponse()

    def test_it_answers(self):
        with self.server() as server:
            for method, path, status in (
                    ('GET', '/health', 503), ('GET', '/', 200), ('HEAD', '/', 200),
                    ('GET', '/x', 404), ('POST', '/', 405), ('DELETE', '/', 405)):
                self.assertEqual(status, self.ask(server, method, path).status)
            answer = self.ask(server)
            self.assertEqual('zeit.cds', answer.getheader('Server'))
            self.assertEqual(b'late: afp: It is down. Ask its operator.\n', answer.read())

    def test_a_stranger_is_limited(self):
        with self.server() as server:
            self.assertEqual(431, self.ask(server, path='/' + 'x' * 20_000).status)

    def test_who_says_nothing_keeps_nobody_from_an_answer(self):
        with self.server() as server, contextlib.ExitStack() as stack:
            address = server.url[7:-1].split(':')
            for _ in range(10):
                stack.enter_context(socket.create_connection(address))
            self.assertEqual(503, self.ask(server).status)

    def test_nothing_is_left_of_it(self):
        with self.server() as server:   # what is made once and for all
            self.ask(server).read()
        self.doCleanups()
        before, threads = files(), threading.active_count()
        with self.server() as server:
            address = server.url[7:-1].split(':')
            with socket.create_connection(address):
                self.ask(server).read()
        self.doCleanups()
        self.assertEqual((before, threads), (files(), threading.active_count()))
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(address)

    def test_one_that_was_never_started_ends_as_well(self):
        before = files()
        Server('127.0.0.1', 0).stop()
        self.assertEqual(before, files())

    @unittest.skipUnless(socket.has_ipv6 and os.path.exists('/proc/net/if_inet6'), 'no IPv6 here')
    def test_over_ipv6(self):
        try:
            socket.create_server(('::1', 0), family=socket.AF_INET6).close()
        except OSError:
            return
        with self.server('::1') as server:
            self.assertTrue(server.url.startswith('http://[::1]:'))
            self.assertEqual(503, self.ask(server).status)


class Refused(unittest.TestCase):

    def complaint(self, host, port):
        with self.assertRaises(ConfigurationError) as raised:
            Server(host, port)
        return '\n'.join([str(raised.exception), *getattr(raised.exception, '__notes__', ())])

    def test_a_port_that_is_in_use(self):
        with socket.create_server(('127.0.0.1', 0)) as other:
            port = other.getsockname()[1]
            said = self.complaint('127.0.0.1', port)
        self.assertIn('--http: cannot listen on 127.0.0.1, port %d: Address already in use\n' % (
            port,), said)
        self.assertIn('Another program has this port', said)

    def test_an_address_that_is_not_ours(self):
        self.assertIn('This machine has no such address', self.complaint('192.0.2.1', 8000))

    def test_a_name_that_there_is_not(self):
        self.assertIn('--http: cannot listen on nowhere.invalid',
                      self.complaint('nowhere.invalid', 8000))
