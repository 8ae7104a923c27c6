"""The server that misbehaves on purpose: its characters, TLS, and what it
notes about clients."""

import ftplib
import functools
import io
import socket
import ssl
import threading

import trustme

from zeit.cds.testing.faulty import Content, FaultyServer, On, shrink
from zeit.cds.testing.tests.faultyclient import BAR, FaultyTest, FILES, short, TIMEOUT


class ViolationTest(FaultyTest):

    def assertViolation(self, text):
        self.wait_until(lambda: text in str(self.server.violations))

    def test_characters_in_commands(self):
        self.serve()
        client = self.raw()
        client.sock.sendall(b'DELE a\rb\r\n')
        client.line()
        self.assertViolation('CR or NUL in a command')
        client.sock.sendall(b'DELE a\0b\r\n')
        client.line()
        self.assertEqual(2, len(self.server.violations))
        client.sock.sendall(b'NOOP\n')
        client.line()
        self.assertViolation('command without CRLF')

    def test_dele_before_the_226(self):
        self.serve(On('RETR').stall(at='done'))
        client = self.raw()
        client.start('RETR bar.xml')
        self.raw().ask('DELE bar.xml')
        self.assertViolation('DELE before the 226')

    def test_dele_in_the_same_session(self):
        self.serve()
        client = self.raw()
        client.connect()
        client.send('RETR bar.xml', 'DELE bar.xml')
        for _ in range(3):
            client.line()
        self.assertViolation('DELE before the 226')

    def test_dele_after_the_226_is_right(self):
        self.serve()
        client = self.raw()
        client.get('RETR bar.xml')
        client.ask('DELE bar.xml')
        self.assertEqual([], self.server.violations)

    def test_dele_after_a_session_that_was_given_up_is_right(self):
        self.serve(On('RETR', session=1).stall(at='done'))
        stalled, client = self.raw(), self.raw()
        stalled.start('RETR bar.xml')
        stalled.close()
        client.get('RETR bar.xml')
        client.ask('DELE bar.xml')
        self.assertEqual([], self.server.violations)

    def test_data_before_the_1xx(self):
        self.serve()
        client = self.raw()
        client.connect()
        client.data.sendall(b'x')
        client.ask('STOR read')
        self.assertViolation('data sent before the 1xx')

    def test_no_data_connection(self):
        self.serve()
        client = self.raw()
        client.ask('EPSV')
        self.assertEqual(b'425', client.ask('RETR bar.xml')[:3])
        self.assertViolation('no data connection a second after')


class CharacterTest(FaultyTest):

    def client(self, character, files=FILES, **settings):
        self.serve(character=character, files=files, **settings)
        return self.raw()

    def test_mlsd(self):
        for character, mlsd in (
                ('vsftpd', b'500'),
                ('proftpd', b'type=cdir;unique=fd00g0; .\r\n'),
                ('pure-ftpd', b'type=pdir;modify=20240501120000;'),
                ('pyftpdlib', b'type=file;perm=adfrw;size=220;')):
            with self.subTest(character):
                client = self.client(character)
                if mlsd == b'500':
                    self.assertEqual(mlsd, client.ask('MLSD')[:3])
                else:
                    self.assertIn(mlsd, client.get('MLSD')[0])

    def test_nlst(self):
        files = {'.hidden': b'', 'x': b''}
        for character, seen in (
                ('vsftpd', b'x\r\n'), ('proftpd', b'x\r\n'),
                ('pure-ftpd', b'.\r\n..\r\n.hidden\r\nx\r\n'),
                ('pyftpdlib', b'.hidden\r\nx\r\n')):
            with self.subTest(character):
                client = self.client(character, files)
                self.assertEqual(seen, client.get('NLST')[0])
                self.assertIn(b'.hidden', client.get('NLST -a')[0])

    def test_nlst_of_a_missing_directory(self):
        self.assertEqual(
            (b'', b'226'), short(self.client('vsftpd').get('NLST nowhere')))
        self.assertEqual(
            b'450', self.client('proftpd').ask('NLST nowhere')[:3])
        self.client('proftpd').connect()

    def test_pure_ftpd_truncates(self):
        self.serve(On('NLST').many(12000), character='pure-ftpd')
        data, reply = self.raw().get('NLST')
        self.assertEqual(10000, data.count(b'\n'))
        self.assertIn(b'226 Output truncated', reply)

    def test_size_in_ascii(self):
        for character, code in (('vsftpd', b'213'), ('proftpd', b'550')):
            client = self.client(character)
            self.assertEqual(code, client.ask('SIZE bar.xml')[:3])
            client.ask('TYPE I')
            self.assertEqual(b'213', client.ask('SIZE bar.xml')[:3])

    def test_held_back_226(self):
        for character, held in (
                ('vsftpd', True), ('proftpd', True),
                ('pure-ftpd', False), ('pyftpdlib', False)):
            with self.subTest(character):
                client = self.client(character)
                client.start('RETR bar.xml')
                self.assertEqual(
                    BAR, client.data.recv(220, socket.MSG_WAITALL))
                self.assertEqual(b'', client.data.recv(1))
                if held:
                    self.assertTrue(client.is_silent())
                client.data.close()
                self.assertEqual(b'226', client.reply()[:3])

    def big(self, character):
        """Return a client in the middle of a transfer."""
        client = self.client(character, {'big': b'x' * 20000000, 'y': b''})
        client.start('RETR big')
        client.data.recv(1)
        return client

    def test_pure_ftpd_swallows_commands(self):
        client = self.big('pure-ftpd')
        self.assertEqual(b'500', client.ask('DELE y')[:3])
        self.assertEqual(19999999, len(client.rest()))
        self.assertEqual(b'226', client.reply()[:3])
        self.assertIn('y', self.server.files)
        self.assertEqual(b'200', client.ask('NOOP')[:3])

    def test_pyftpdlib_runs_commands_at_once(self):
        client = self.big('pyftpdlib')
        self.assertEqual(b'250', client.ask('DELE big')[:3])
        self.assertEqual(19999999, len(client.rest()))
        self.assertEqual(b'226', client.reply()[:3])
        self.assertIn('DELE before the 226', str(self.server.violations))

    def test_epsv_kills_a_transfer_of_pyftpdlib(self):
        client = self.big('pyftpdlib')
        self.assertEqual(b'229', client.ask('EPSV')[:3])
        self.assertLess(len(client.rest()), 19999999)
        self.assertEqual(b'200', client.ask('NOOP')[:3])

    def test_abort(self):
        client = self.big('pyftpdlib')
        self.assertEqual(b'426', client.ask('ABOR')[:3])
        self.assertEqual(b'226', client.reply()[:3])

    def test_data_connection_closed_early(self):
        for character, reply in (
                ('plain', b'426'), ('vsftpd', b'426'), ('pure-ftpd', b'150')):
            with self.subTest(character):
                client = self.big(character)
                client.data.close()
                self.assertEqual(reply, client.reply()[:3])

    def test_file_that_shrinks(self):
        for character, reply in (
                ('vsftpd', b'426'), ('proftpd', b'226'),
                ('pure-ftpd', b'451'), ('pyftpdlib', b'226')):
            with self.subTest(character):
                self.serve(On('RETR').call(
                    shrink('bar.xml', 5), after_bytes=5), character=character)
                self.assertEqual(
                    (BAR[:5], reply), short(self.raw().get('RETR bar.xml')))

    def test_restart_beyond_the_end(self):
        client = self.client('vsftpd')
        client.ask('REST 9999')
        self.assertEqual(
            (b'', b'226'), short(client.get('RETR bar.xml')))

    def test_proftpd_wants_ff_doubled(self):
        client = self.client('proftpd', {b'x\xff': b''})
        self.assertEqual(b'550', client.ask('SIZE x\xff')[:3])
        client.ask('TYPE I')
        self.assertEqual(b'213', client.ask('SIZE x\xff\xff')[:3])


@functools.cache
def contexts():
    """Return the server's context, and a client's that trusts it."""
    authority = trustme.CA()
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert('127.0.0.1').configure_cert(serving)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    return serving, trusting


class TLSTest(FaultyTest):

    def setUp(self):
        self.context, self.trusting = contexts()

    def client(self, reuse=True):
        client = Reusing(context=self.trusting, timeout=TIMEOUT)
        client.reuse = reuse
        self.addCleanup(client.close)
        client.connect(self.server.host, self.server.port)
        client.login('test', 'testpw')
        client.prot_p()
        return client

    def test_explicit(self):
        self.serve(tls=self.context)
        client = self.client()
        self.assertEqual(['bar.xml', 'foo.xml'], client.nlst())
        self.assertEqual(BAR, self.retrieve(client))
        client.storbinary('STOR x', io.BytesIO(b'x' * 100000))
        self.assertEqual(100000, len(self.server.files['x'].data))
        self.assertEqual([], self.server.violations)

    def test_implicit(self):
        self.serve(tls=self.context, implicit=True)
        plain = socket.create_connection((self.server.host, self.server.port))
        sock = self.trusting.wrap_socket(plain, server_hostname='127.0.0.1')
        self.addCleanup(sock.close)
        self.assertEqual(b'220', sock.recv(100)[:3])

    def test_session_reuse(self):
        for character, code in (('vsftpd', '522'), ('proftpd', '425')):
            with self.subTest(character):
                self.serve(tls=self.context, character=character)
                self.assertEqual(BAR, self.retrieve(self.client()))
                with self.assertRaisesRegex(ftplib.Error, '^' + code):
                    self.retrieve(self.client(reuse=False))

    def test_required(self):
        self.serve(tls=self.context, require_tls=True)
        with self.assertRaisesRegex(ftplib.error_perm, '^530'):
            self.ftp()

    def test_without_encryption(self):
        self.serve(tls=self.context)
        self.ftp().nlst()
        self.assertEqual(
            ['session 1: the password was sent in clear',
             'session 1: data connection without PROT P'],
            self.server.violations)

    def test_a_handshake_that_never_comes(self):
        self.serve(On('AUTH').stall(at='replied'), tls=self.context)
        client = self.raw(login=False)
        client.line()
        self.assertEqual(b'234', client.ask('AUTH TLS')[:3])
        self.assertTrue(client.is_silent())

    def test_a_handshake_that_never_ends_does_not_hold_the_server(self):
        self.serve(tls=self.context, implicit=True)
        client = self.raw(login=False)
        client.sock.sendall(b'\x16\x03\x01')
        self.wait_until(lambda: self.server.open_sessions)
        self.server.stop()
        self.assertEqual(b'', client.line())

    def test_refused(self):
        self.serve(On('AUTH').refuse(), tls=self.context)
        with self.assertRaisesRegex(ftplib.error_perm, '^502'):
            self.client()

    def test_no_close_notify(self):
        for rule, tidy in ((On('NOOP'), True),
                           (On('RETR').no_close_notify(), False)):
            with self.subTest(tidy=tidy):
                self.serve(rule, tls=self.context)
                client = self.client()
                data = client.transfercmd('RETR bar.xml')
                self.addCleanup(data.close)
                data.suppress_ragged_eofs = False
                self.assertEqual(BAR, data.recv(1000))
                if tidy:
                    self.assertEqual(b'', data.recv(1))
                else:
                    with self.assertRaises(ssl.SSLEOFError):
                        data.recv(1)

    def test_corrupt(self):
        self.serve(On('RETR').corrupt(9), tls=self.context)
        data = self.client().transfercmd('RETR bar.xml')
        self.addCleanup(data.close)
        self.assertEqual(BAR[:9], data.recv(1000))
        with self.assertRaises(ssl.SSLError):
            data.recv(1000)

    def test_faults_under_tls(self):
        self.serve(On('RETR').truncate(9), On('DELE').drop_control(at='done'),
                   tls=self.context)
        client = self.client()
        self.assertEqual(BAR[:9], self.retrieve(client))
        with self.assertRaises((EOFError, OSError)):
            client.delete('bar.xml')
        self.assertNotIn('bar.xml', self.server.files)


class Reusing(ftplib.FTP_TLS):
    """A client that resumes its TLS session on data connections."""

    def ntransfercmd(self, command, rest=None):
        conn, size = ftplib.FTP.ntransfercmd(self, command, rest)
        session = self.sock.session if self.reuse else None
        return self.context.wrap_socket(
            conn, server_hostname=self.host, session=session), size


class ManySessionsTest(FaultyTest):

    def test_at_once(self):
        files = {f'{n}.xml': b'x' * n for n in range(40)}
        self.serve(files=files)

        def take(client, names):
            for name in names:
                taken[name] = self.retrieve(client, name)
                client.delete(name)

        taken, names = {}, sorted(files)
        threads = [threading.Thread(target=take, args=(
            self.ftp(), names[n::4])) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(files, taken)
        self.assertEqual({}, self.server.files.data)
        self.assertEqual(40, len(self.server.commands('DELE')))
        self.assertEqual([], self.server.violations)

    def test_a_hundred_servers(self):
        for _ in range(100):
            with FaultyServer(files={'x': Content(b'x', 0)}) as server:
                with ftplib.FTP() as client:
                    client.connect(server.host, server.port)
                    client.login('test', 'testpw')
                    self.assertEqual(
                        '213 19700101000000', client.sendcmd('MDTM x'))
            self.assertEqual([], server.errors)
