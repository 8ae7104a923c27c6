"""What a service manager hears."""
import os
import re
import socket
import tempfile
import unittest
from pathlib import Path

from zeit.cds.cli.notify import Manager


class Told(unittest.TestCase):

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.socket.close)
        self.socket.settimeout(5)
        self.path = str(Path(directory.name, 'notify'))

    def heard(self):
        return self.socket.recv(4096).decode('utf-8').split('\n')

    def manager(self, address=None, **environ):
        self.socket.bind(address or self.path)
        shown = (address or self.path).replace('\0', '@')
        return Manager({'NOTIFY_SOCKET': shown, **environ})

    def test_each_state(self):
        manager = self.manager()
        manager.ready()
        self.assertEqual(['READY=1'], self.heard())
        manager.ready('2 feeds')
        self.assertEqual(['READY=1', 'STATUS=2 feeds'], self.heard())
        manager.lives('one\nline, Köln \udcff')
        self.assertEqual(['WATCHDOG=1', 'STATUS=one line, Köln \\udcff'], self.heard())
        manager.stopping()
        self.assertEqual(['STOPPING=1'], self.heard())

    def test_when_it_began_to_read_its_configuration_anew(self):
        self.manager().reloading()
        state, since = self.heard()
        self.assertEqual('RELOADING=1', state)
        self.assertTrue(re.fullmatch(r'MONOTONIC_USEC=\d+', since), since)

    def test_a_socket_without_a_place_in_the_file_system(self):
        self.manager('\0zeit.cds-test-%d' % os.getpid()).ready()
        self.assertEqual(['READY=1'], self.heard())

    def test_nobody_listens(self):
        for environ in {}, {'NOTIFY_SOCKET': ''}, {'NOTIFY_SOCKET': self.path}:
            manager = Manager(dict(environ))
            manager.ready()
            self.assertIsNone(manager.watchdog)

    def test_the_watchdog_of_this_process(self):
        me = str(os.getpid())
        for seconds, environ in (
                (30, {'WATCHDOG_USEC': '30000000'}),
                (0.5, {'WATCHDOG_USEC': '500000', 'WATCHDOG_PID': me}),
                (None, {'WATCHDOG_USEC': '500000', 'WATCHDOG_PID': '1'}),
                (None, {'WATCHDOG_USEC': '0'}), (None, {'WATCHDOG_USEC': 'often'})):
            with self.subTest(environ):
                self.assertEqual(seconds, Manager(dict(environ)).watchdog)

    def test_what_we_start_does_not_speak_for_us(self):
        environ = {'NOTIFY_SOCKET': self.path, 'WATCHDOG_USEC': '1', 'WATCHDOG_PID': '1', 'A': 'b'}
        Manager(environ)
        self.assertEqual({'A': 'b'}, environ)
