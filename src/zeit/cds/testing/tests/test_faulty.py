"""The server that misbehaves on purpose: its rules, replies and sessions."""

import ftplib
import io

from zeit.cds.testing.faulty.server import nothing_offered, On, SHAPES, vanish
from zeit.cds.testing.tests.faultyclient import BAR, FaultyTest


class GoodTest(FaultyTest):
    """Without a script it is a decent server."""

    def test_commands(self):
        self.serve(directories=['in'])
        client = self.raw()
        for command, reply in (
                ('PWD', '257 "/"'), ('TYPE I', '200'),
                ('SIZE bar.xml', '213 220'),
                ('SIZE in', '550'), ('SIZE x', '550'),
                ('MDTM bar.xml', '213 20240501120000'),
                ('MFMT 20200101000000 bar.xml', '213'),
                ('MDTM bar.xml', '213 20200101000000'),
                ('MKD lock', '257'), ('MKD lock', '550'),
                ('MKD bar.xml', '550'),
                ('CWD lock', '250'), ('PWD', '257 "/lock"'), ('CDUP', '250'),
                ('RMD lock', '250'), ('RMD lock', '550'), ('CWD x', '550'),
                ('RNFR foo.xml', '350'), ('RNTO in/new.xml', '250'),
                ('RNTO x', '503'), ('RMD in', '550'), ('DELE x', '550'),
                ('DELE bar.xml', '250'), ('SYST', '215'), ('NOOP', '200'),
                ('ABOR', '225'), ('OPTS UTF8 ON', '200'), ('HELP', '502'),
                ('RETR x', '550'), ('STOR in', '553'), ('AUTH TLS', '502'),
                ('REST x', '501'), ('QUIT', '221')):
            answer = client.ask(command).decode('latin-1')
            self.assertEqual(reply, answer[:len(reply)], command)
        self.assertEqual(b'', client.line())
        self.assertEqual(['in/new.xml'], list(self.server.files))
        self.assertEqual([], self.server.violations)

    def test_ftplib_finds_all_it_wants(self):
        self.serve(directories=['in'])
        client = self.ftp()
        self.assertEqual(['bar.xml', 'foo.xml', 'in'], client.nlst())
        self.assertEqual(
            {'type': 'file', 'size': '220', 'modify': '20240501120000'},
            dict(client.mlsd())['bar.xml'])
        lines = []
        client.dir(lines.append)
        self.assertRegex(lines[0], r'^-rw-r--r-- .* 220 May 01  2024 bar.xml$')
        self.assertEqual(BAR, self.retrieve(client))
        client.storbinary('STOR new', io.BytesIO(b'12345'))
        client.storbinary('APPE new', io.BytesIO(b'678'))
        client.storbinary('STOR new', io.BytesIO(b'x'), rest=7)
        self.assertEqual(b'1234567x', self.server.files['new'].data)
        self.assertIn('MLST type*;size*;modify*;', client.sendcmd('FEAT'))

    def test_restart(self):
        self.serve()
        client = self.raw()
        client.ask('REST 215')
        self.assertEqual(BAR[215:], client.get('RETR bar.xml')[0])
        self.assertEqual(BAR, client.get('RETR bar.xml')[0])
        client.ask('REST 221')
        self.assertEqual(b'554', client.ask('RETR bar.xml')[:3])

    def test_names_are_bytes(self):
        names = [b'\xfc.xml', '\xfc.xml'.encode(), b'a b', b'-rf', b'x\xff']
        self.serve(files=dict.fromkeys(names, b'x'))
        client = self.raw()
        self.assertEqual(
            sorted(names), client.get('NLST')[0].split(b'\r\n')[:-1])
        for name in names:
            self.assertEqual(b'250', client.ask(
                'DELE ' + name.decode('latin-1'))[:3], name)
        self.assertEqual({}, self.server.files.data)

    def test_commands_in_one_segment_are_executed_in_order(self):
        self.serve()
        client = self.raw()
        client.connect()
        client.send('RETR foo.xml', 'SIZE bar.xml', 'DELE bar.xml', 'NOOP')
        self.assertEqual(
            [b'150', b'226', b'213', b'250', b'200'],
            [client.line()[:3] for n in range(5)])

    def test_commands_wait_for_a_transfer_that_runs(self):
        self.serve(On('RETR').stall(0.05, after_bytes=9))
        client = self.raw()
        client.start('RETR foo.xml')
        client.send('DELE bar.xml')
        self.assertEqual(b'226', client.line()[:3])
        self.assertEqual(b'250', client.line()[:3])

    def test_log_in(self):
        self.serve()
        client = self.raw(login=False)
        client.line()
        self.assertEqual(b'530', client.ask('NLST')[:3])
        client.ask('USER test')
        self.assertEqual(b'530', client.ask('PASS secret')[:3])
        self.assertNotIn('secret', str(self.server.log))
        self.assertIn((1, 'PASS ***'), self.server.log)

    def test_it_starts_again_on_its_port(self):
        self.serve()
        self.ftp()
        port = self.server.port
        self.server.stop()
        with self.assertRaises(ConnectionRefusedError):
            self.raw()
        self.server.start()
        self.assertEqual(port, self.server.port)
        self.ftp()
        self.assertEqual(2, self.server.sessions)

    def test_disconnect_ends_sessions_but_not_the_server(self):
        self.serve()
        client = self.raw()
        self.server.disconnect()
        self.assertEqual(b'', client.line())
        self.wait_until(lambda: not self.server.open_sessions)
        self.raw()

    def test_an_error_in_a_change_is_kept(self):
        self.serve(On('NOOP').call(vanish))
        self.server.script = [On('NOOP').call(lambda server: 1 / 0)]
        self.assertEqual(b'', self.raw().ask('NOOP'))
        self.server.stop()
        self.assertIn('ZeroDivisionError', self.server.errors.pop())


class RuleTest(FaultyTest):
    """When a rule acts."""

    def answers(self, rule, *commands):
        self.serve(rule, On('*', 'never').refuse())
        client = self.raw()
        return [client.ask(command)[:3] for command in commands]

    def test_argument(self):
        for argument, wanted in (
                ('bar.xml', True), (b'bar.xml', True), ('*.xml', True),
                (None, True), ('foo.xml', False), ('bar', False)):
            self.assertEqual(
                wanted, On('DELE', argument).fits('DELE', 'in/bar.xml', 1))

    def test_verbs(self):
        self.assertEqual(
            [b'599', b'599', b'215'],
            self.answers(On('NOOP PWD').reply('599'), 'NOOP', 'PWD', 'SYST'))

    def test_every_command_but_not_the_greeting(self):
        self.serve(On('*').reply('599'))
        client = self.raw(login=False)
        self.assertEqual(b'220', client.line()[:3])
        self.assertEqual(b'599', client.ask('USER test')[:3])

    def test_times_and_skip(self):
        self.assertEqual(
            [b'200', b'599', b'599', b'200'],
            self.answers(On('NOOP', times=2, skip=1).reply('599'),
                         *['NOOP'] * 4))

    def test_counts_start_anew_with_the_script(self):
        rule = On('NOOP', times=1).reply('599')
        self.serve(rule)
        client = self.raw()
        self.assertEqual(b'599', client.ask('NOOP')[:3])
        self.server.script = [rule]
        self.assertEqual(b'599', client.ask('NOOP')[:3])
        self.assertEqual(b'200', client.ask('NOOP')[:3])

    def test_session(self):
        rule = On('NOOP', session=2).reply('599')
        self.serve(rule)
        answers = [self.raw().ask('NOOP')[:3] for n in range(3)]
        self.assertEqual([b'200', b'599', b'200'], answers)
        self.server.script = [rule]
        answers = [self.raw().ask('NOOP')[:3] for n in range(3)]
        self.assertEqual([b'200', b'599', b'200'], answers)

    def test_given(self):
        self.serve(On('NLST', given=nothing_offered).reply('550 No files.'),
                   files={'read': b'', 'foo.xml': b''})
        client = self.raw()
        self.assertEqual(b'226', client.get('NLST')[1][:3])
        del self.server.files['foo.xml']
        self.assertEqual(b'550', client.ask('NLST')[:3])

    def test_rules_act_together(self):
        self.serve(On('NOOP').reply('599 Yes'), On('*').shape(str_upper))
        self.assertEqual(b'599 YES\r\n', self.raw().ask('NOOP'))

    def test_a_moment_that_does_not_exist(self):
        with self.assertRaisesRegex(ValueError, 'never'):
            On('NOOP').stall(at='never')

    def test_behave(self):
        self.serve(On('DELE').reply('550'), On('NOOP').stall())
        client, stalled = self.raw(), self.raw()
        client.ask('DELE bar.xml')
        stalled.send('NOOP')
        self.wait_until(lambda: self.server.commands('NOOP'))
        self.assertTrue(stalled.is_silent())
        self.server.behave()
        self.assertEqual(b'', stalled.line())
        self.assertEqual(b'250', client.ask('DELE bar.xml')[:3])

    def test_unused(self):
        idle = On('RETR').drop_data(221)
        self.serve(On('DELE').refuse(), On('RETR').truncate(220), idle)
        client = self.raw()
        self.assertEqual(3, len(self.server.unused))
        client.get('RETR bar.xml')
        client.ask('DELE x')
        self.assertEqual([idle], self.server.unused)
        self.server.behave()
        self.assertEqual([], self.server.unused)

    def test_when(self):
        self.serve()
        seen = []
        for when in ('before', 'after'):
            self.server.when(
                On('DELE', 'bar.xml'),
                lambda server: seen.append('bar.xml' in server.files), when)
        self.raw().ask('DELE bar.xml')
        self.assertEqual([True, False], seen)


def str_upper(reply):
    return reply.upper()


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
