"""The server that misbehaves on purpose: its rules and sessions."""

import io

from zeit.cds.testing.faulty import nothing_offered, On, vanish
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
        self.serve(On('NOOP').reply('599 Yes'), On('*').shape(bytes.upper))
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
