"""SIGTERM and SIGINT end an import cleanly, whatever it is about."""
import contextlib
import signal
import socket
import subprocess
import threading
import time
import unittest

from zeit.cds.testing import on_servers, PYFTPDLIB_LAYER, ServerTestCase
from zeit.cds.tests.commands import Commands


FILES = 500
SIZE = 50_000


class Interrupted(Commands):

    def import_until(self, handler):
        """Start an import of many files, which a subscriber interrupts.

        Returns the status and all the files.
        """
        files = {b'%03d.xml' % n: bytes([n % 256]) * SIZE for n in range(FILES)}
        for name, data in files.items():
            self.put(name.decode(), data)
        self.path = self.site(
            self.directive('dpa') + '<subscriber for="zeit.cds.interfaces.IFileImported" '
            'handler="zeit.cds.tests.commands.%s" />' % handler
        )
        return self.run_command('cds-import', '--zcml', self.path, 'dpa'), files

    def check(self, status, files):
        """Some files arrived, the others are on the server, and the next run takes these."""
        published, there = self.published, self.there
        self.assertNotEqual({}, there, self.err)
        self.assertGreaterEqual(len(published), 20)
        self.assertEqual(files, {**published, **there})
        self.assertEqual(set(), published.keys() & there.keys())
        self.assert_nothing_left()
        self.assertEqual(0, self.cds_import(), self.err)
        self.assertEqual(files, self.published)
        self.assertEqual('', self.err)

    def test_sigterm_leaves_no_lock_and_nothing_half(self):
        status, files = self.import_until('terminate_at_20')
        self.assertEqual(128 + signal.SIGTERM, status, self.err)
        self.assertIn('Interrupted by SIGTERM', self.err)
        self.check(status, files)

    def test_sigint_leaves_no_lock_and_nothing_half(self):
        status, files = self.import_until('interrupt_at_20')
        self.assertEqual(128 + signal.SIGINT, status, self.err)
        self.check(status, files)


class Silent(Commands, ServerTestCase):
    """A signal while the server says nothing."""

    layer = PYFTPDLIB_LAYER

    def test_an_import_that_waits_for_the_greeting_ends_at_once(self):
        with socket.create_server(('127.0.0.1', 0)) as silent:
            with self.popen(
                'cds-import', self.store_dir, self.url(port=silent.getsockname()[1])
            ) as process:
                connected, _ = silent.accept()
                with connected:
                    process.send_signal(signal.SIGTERM)
                    _, err = process.communicate(
                        timeout=20
                    )  # much less than the server may be silent
        self.assertEqual(128 + signal.SIGTERM, process.returncode, err)

    def test_cds_lock_goes_on_to_no_other_feed(self):
        with contextlib.ExitStack() as stack:
            silent = [stack.enter_context(socket.create_server(('127.0.0.1', 0))) for _ in range(2)]
            site = self.site(
                ''.join(
                    self.directive('feed%d' % n, port=sock.getsockname()[1])
                    for n, sock in enumerate(silent)
                )
            )
            secret = self.write('secret', self.server.password, 0o600)
            process = stack.enter_context(self.popen(
                'cds-lock', '--break=read', '--yes', '--password-file', secret, '--zcml', site,
                '--all'))
            stack.enter_context(silent[0].accept()[0])
            process.send_signal(signal.SIGINT)
            silent[1].settimeout(1)
            with self.assertRaises(TimeoutError):
                silent[1].accept()[0].close()
            _, err = process.communicate(timeout=20)
        self.assertEqual(128 + signal.SIGINT, process.returncode, err)
        self.assertEqual(1, err.count('Interrupted by SIGINT'), err)

    def test_further_signals_drop_the_file_that_hangs(self):
        """The server's data never come; the lock is removed, whatever signals follow."""
        self.put('a.xml', b'a' * 1000)
        with Stalling(self.server.port) as stalling:
            with self.popen(
                'cds-import', '--connections=1', self.store_dir, self.url(port=stalling.port)
            ) as process:
                self.assertTrue(stalling.stalled.wait(30))
                while process.poll() is None:
                    process.send_signal(signal.SIGTERM)
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(0.1)
                err = process.stderr.read()
        self.assertEqual(128 + signal.SIGTERM, process.returncode, err)
        self.assertEqual({b'a.xml': b'a' * 1000}, self.there)
        self.assertEqual({}, self.published)
        self.assert_nothing_left()


    def test_a_lock_that_a_server_cannot_be_asked_to_remove_is_told_of(self):
        """The server has stopped altogether."""
        self.put('a.xml', b'a' * 1000)
        with Stalling(self.server.port, for_good=True) as stalling:
            with self.popen(
                'cds-import', '--connections=1', '--timeout=1', self.store_dir,
                self.url(port=stalling.port)
            ) as process:
                self.assertTrue(stalling.stalled.wait(30))
                for _ in range(2):
                    process.send_signal(signal.SIGTERM)
                    time.sleep(0.1)
                _, err = process.communicate(timeout=60)
        self.assertEqual(128 + signal.SIGTERM, process.returncode, err)
        self.assertIn('Interrupted by SIGTERM. Exiting, the next run takes the rest.', err)
        self.assertIn('The lock could not be removed either', err)
        self.assertEqual(0, self.cds_import(), self.err)    # by the next run, its owner is dead
        self.assertEqual({b'a.xml': b'a' * 1000}, self.published)


class Stalling:
    """A server between client and server that swallows RETR, and so leaves the client waiting.

    for_good -- and then says nothing to anybody any more
    """

    def __init__(self, port, for_good=False):
        self._target, self._for_good = port, for_good
        self._listening = socket.create_server(('127.0.0.1', 0))
        self.port = self._listening.getsockname()[1]
        self.stalled = threading.Event()
        self._threads, self._silent = [], []

    def _start(self, *target):
        self._threads.append(threading.Thread(target=target[0], args=target[1:], daemon=True))
        self._threads[-1].start()

    def __enter__(self):
        self._start(self._serve)
        return self

    def __exit__(self, *_):
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for sock in self._silent:
            sock.close()
        for thread in self._threads:
            thread.join()

    def _serve(self):
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            if self._for_good and self.stalled.is_set():
                self._silent.append(client)
                continue
            server = socket.create_connection(('127.0.0.1', self._target))
            self._start(self._pass_on, client, server, True)
            self._start(self._pass_on, server, client, False)

    def _pass_on(self, source, target, commands):
        with contextlib.suppress(OSError):      # the other direction has ended
            while data := source.recv(65536):
                if commands and b'RETR a.xml' in data:
                    self.stalled.set()
                else:
                    target.sendall(data)
        for sock in (source, target):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        source.close()


def test_suite():
    return unittest.TestSuite(
        [on_servers(Interrupted), unittest.defaultTestLoader.loadTestsFromTestCase(Silent)]
    )
