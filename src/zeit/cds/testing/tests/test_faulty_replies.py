"""The server that misbehaves on purpose: its replies and control connections."""

import ftplib

from zeit.cds.testing.faulty import On, SHAPES
from zeit.cds.testing.tests.faultyclient import BAR, FaultyTest


class ReplyTest(FaultyTest):
    """Wrong, late and odd replies."""

    def test_any_reply_instead(self):
        for code in (421, 425, 426, 450, 451, 452, 500, 502, 530, 550):
            with self.subTest(code):
                self.serve(On('DELE').reply(f'{code} No.'))
                self.assertEqual(
                    b'%d No.\r\n' % code, self.raw().ask('DELE bar.xml'))
                self.assertIn('bar.xml', self.server.files)

    def test_done_and_then_a_wrong_reply(self):
        self.serve(On('DELE').reply('150 Well.', done=True))
        self.assertEqual(b'150 Well.\r\n', self.raw().ask('DELE bar.xml'))
        self.assertNotIn('bar.xml', self.server.files)

    def test_421_ends_the_session(self):
        self.serve(On('NOOP').reply('421 Bye.'))
        client = self.raw()
        self.assertEqual(b'421', client.ask('NOOP')[:3])
        self.assertEqual(b'', client.line())

    def test_a_reply_in_addition(self):
        self.serve(On('NOOP').say('421 Timeout.', at='replied'))
        client = self.raw()
        self.assertEqual(b'200', client.ask('NOOP')[:3])
        self.assertEqual(b'421', client.line()[:3])

    def test_shapes(self):
        for name, seen in (
                ('lower_case', b'250 delete operation'),
                ('multi_line', b'250-First line\r\n 250 indented\r\n999 '),
                ('latin_1', b'250 \xdcbertragen.\r\n'),
                ('no_text', b'250\r\n'),
                ('bare_lf', b'250 Delete operation successful.\n'),
                ('preliminary_code', b'150 Delete'),
                ('garbage', b'\x00\xff<html>'),
                ('nothing', b'200 NOOP ok.'),
                ('long_line', b'250 xxxxxxxxxx'),
                ('endless_line', b'250 xxxxxxxxxx'),
                ('endless_lines', b'250-and so on\r\n250-and so on\r\n')):
            with self.subTest(name):
                self.serve(On('DELE').shape(SHAPES[name]))
                client = self.raw()
                client.send('DELE bar.xml', 'NOOP')
                self.assertEqual(seen, client.stream.read(len(seen)))
                self.assertNotIn('bar.xml', self.server.files)

    def test_shapes_that_should_not_matter(self):
        for name in list(SHAPES)[:5]:
            with self.subTest(name):
                self.serve(On('*').shape(SHAPES[name]))
                client = self.ftp()
                self.assertEqual('/', client.pwd())
                self.assertEqual(220, client.size('bar.xml'))
                self.assertEqual(BAR, self.retrieve(client))
                client.delete('bar.xml')

    def test_length_of_a_long_line(self):
        self.serve(On('NOOP').shape(SHAPES['long_line']))
        line = self.raw().ask('NOOP')
        self.assertEqual(10 * 1024 * 1024 + 6, len(line))

    def test_endless_replies_end_with_the_server(self):
        for name in ('endless_line', 'endless_lines'):
            self.serve(On('NOOP').shape(SHAPES[name]))
            client = self.raw()
            client.send('NOOP')
            client.stream.read(10 ** 6)
            self.server.stop()

    def test_drip(self):
        self.serve(On('NOOP').drip_reply(0.001))
        client = self.raw()
        client.send('NOOP')
        self.assertEqual(b'2', client.sock.recv(1))
        self.assertEqual(b'00 NOOP ok.\r\n', client.line())

    def test_bytes_go_out_as_they_are(self):
        self.serve(On('NOOP').reply(b'20').drop_control(at='replied'))
        self.assertEqual(b'20', self.raw().ask('NOOP'))


class GreetingTest(FaultyTest):

    def test_greetings(self):
        for rule, seen in (
                (On('GREETING').reply('120 Wait.', '220 Go.'),
                 b'120 Wait.\r\n220 Go.\r\n'),
                (On('GREETING').reply('421 Busy.'), b'421 Busy.\r\n'),
                (On('GREETING').reply(b'SSH-2.0-x\r\n'), b'SSH-2.0-x\r\n'),
                (On('GREETING').drop_control(reply_bytes=2), b'22'),
                (On('GREETING').drop_control(), b''),
                (On('CONNECT').drop_control(), b'')):
            with self.subTest(seen):
                self.serve(rule)
                client = self.raw(login=False)
                if seen:
                    self.assertEqual(seen, client.stream.read(len(seen)))
                if b'421' in seen or len(seen) < 3:
                    self.assertEqual(b'', client.stream.read())

    def test_none_at_all(self):
        self.serve(On('CONNECT').stall())
        self.assertTrue(self.raw(login=False).is_silent())

    def test_wrong_password(self):
        self.serve(On('PASS').reply('530 Login incorrect.'))
        with self.assertRaisesRegex(ftplib.error_perm, '^530'):
            self.ftp()

    def test_too_many_sessions(self):
        for text, commands in (('421 Too many.', 0), ('530 Too many.', 2)):
            with self.subTest(text):
                self.serve(max_sessions=2, too_many=text)
                first = self.ftp()
                self.ftp()
                with self.assertRaisesRegex(ftplib.Error, text):
                    self.ftp()
                self.assertEqual(commands, len(
                    [number for number, line in self.server.log
                     if number == 3]))
                first.quit()
                self.wait_until(lambda: 1 not in self.server.open_sessions)
                self.ftp()


class ControlTest(FaultyTest):
    """The control connection breaks or falls silent."""

    def test_dropped(self):
        for moment, seen, left in (
                (dict(), b'', True),
                (dict(at='done'), b'', False),
                (dict(at='replied'),
                 b'250 Delete operation successful.\r\n', False),
                (dict(reply_bytes=2), b'25', False)):
            with self.subTest(**moment):
                self.serve(On('DELE').drop_control(**moment))
                client = self.raw()
                client.send('DELE bar.xml')
                self.assertEqual(seen, client.stream.read())
                self.assertEqual(left, 'bar.xml' in self.server.files)

    def test_reset(self):
        self.serve(On('DELE').drop_control(reset=True))
        client = self.raw()
        client.send('DELE bar.xml')
        with self.assertRaises(ConnectionResetError):
            client.stream.read()

    def test_commands_behind_it_do_not_make_it_a_reset(self):
        self.serve(On('NOOP', times=1).shape(SHAPES['long_line'])
                   .drop_control(at='replied'))
        client = self.raw()
        client.send('NOOP')
        client.stream.read(1)
        client.send(*['NOOP'] * 100)
        self.assertEqual(10 * 1024 * 1024 + 5, len(client.stream.read()))

    def test_mkd_done_but_not_answered(self):
        self.serve(On('MKD').drop_control(at='done'))
        self.assertEqual(b'', self.raw().ask('MKD lock'))
        self.assertIn('lock', self.server.directories)

    def test_only_the_second_session(self):
        self.serve(On('EPSV', session=2).drop_control())
        self.raw().connect()
        self.assertEqual(b'', self.raw().ask('EPSV'))

    def test_stalled(self):
        for moment, left in ((dict(), True), (dict(at='done'), False)):
            self.serve(On('DELE').stall(**moment))
            client = self.raw()
            client.send('DELE bar.xml')
            self.assertTrue(client.is_silent())
            self.assertEqual(left, 'bar.xml' in self.server.files)
            self.server.stop()
            self.assertEqual(b'', client.line())

    def test_stalled_in_the_middle_of_a_line(self):
        self.serve(On('NOOP').stall(reply_bytes=5))
        client = self.raw()
        client.send('NOOP')
        self.assertEqual(b'200 N', client.stream.read(5))
        self.assertTrue(client.is_silent())

    def test_late(self):
        self.serve(On('NOOP').stall(0.001), On('PWD').stall(3600))
        client = self.raw()
        self.assertEqual(b'200', client.ask('NOOP')[:3])
        client.send('PWD')
        self.assertTrue(client.is_silent())

    def test_a_stalled_server_stops_at_once(self):
        self.serve(On('*').stall())
        clients = [self.raw(login=False) for n in range(10)]
        for client in clients:
            client.send('USER test')
        self.wait_until(lambda: len(self.server.log) == 10)
        self.server.stop()
        self.assertEqual([], self.server.open_sessions)
