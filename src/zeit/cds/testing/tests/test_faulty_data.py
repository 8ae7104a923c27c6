"""The server that misbehaves on purpose: its data connections."""

import ftplib
import select
import socket

from zeit.cds.testing.faulty import (
    BEGINNING,
    endless_data,
    Entry,
    grow,
    mkdir,
    next_year,
    On,
    put,
    rewrite,
    shrink,
    vanish,
)
from zeit.cds.testing.tests.faultyclient import BAR, FaultyTest, FILES, short


class TransferTest(FaultyTest):
    """Downloads that go wrong."""

    def get(self, rule, name='bar.xml', **settings):
        self.serve(rule, **settings)
        return self.raw().get('RETR ' + name)

    def test_what_is_seen(self):
        for name, rule, data, reply in (
                ('426', On('RETR').reply('426 x', after_bytes=9), 9, b'426'),
                ('426 without data', On('RETR').reply('426 x', after_bytes=0),
                 0, b'426'),
                ('cut', On('RETR').drop_data(9), 9, b'426'),
                ('cut and lie', On('RETR').drop_data(9, reply='226 x'), 9,
                 b'226'),
                ('truncated', On('RETR').truncate(9), 9, b'226'),
                ('too much', On('RETR').extend(b'more'), 224, b'226'),
                ('other data', On('RETR').serve(b'other'), 5, b'226'),
                ('1xx', On('RETR').reply('150 x', done=True), 220, b'150'),
                ('no control', On('RETR').drop_control(after_bytes=9), 9, b''),
                ('no 226', On('RETR').drop_control(at='done'), 220, b''),
                ('half a 226', On('RETR').drop_control(reply_bytes=2), 220,
                 b'22'),
                ('no data', On('RETR').drop_control(at='preliminary'), 0, b''),
                ('drip', On('RETR').drip(0, size=7), 220, b'226'),
                ):
            with self.subTest(name):
                received, answer = self.get(rule)
                self.assertEqual(data, len(received))
                self.assertEqual(reply, answer[:3])

    def test_reset(self):
        self.assertEqual(
            (None, b'426'), short(self.get(
                On('RETR').drop_data(9, reset=True))))
        self.assertEqual(None, self._reset_of_both())

    def _reset_of_both(self):
        self.serve(On('RETR').drop_control(after_bytes=9, reset=True))
        client = self.raw()
        client.start('RETR bar.xml')
        with self.assertRaises(ConnectionResetError):
            client.line()
        return client.rest()

    def test_stalled(self):
        for moment, data in (
                (dict(after_bytes=9), 9), (dict(at='preliminary'), 0)):
            with self.subTest(**moment):
                self.serve(On('RETR').stall(**moment))
                client = self.raw()
                client.start('RETR bar.xml')
                self.assertEqual(BAR[:data], client.data.recv(9)
                                 if data else b'')
                self.assertEqual([], select.select(
                    [client.data, client.sock], [], [], 0.05)[0])

    def test_stalled_before_the_226(self):
        self.serve(On('RETR').stall(at='done'))
        client = self.raw()
        client.start('RETR bar.xml')
        self.assertEqual(BAR, client.rest())
        self.assertTrue(client.is_silent())

    def test_preliminary(self):
        for replies, seen in ((('125 x',), b'125'), ((), b'226')):
            with self.subTest(seen):
                self.serve(On('RETR').preliminary(*replies))
                self.assertEqual(
                    seen, self.raw().start('RETR bar.xml')[:3])

    def test_endless(self):
        self.serve(On('RETR').serve(endless_data))
        client = self.raw()
        client.start('RETR bar.xml')
        self.assertEqual(
            b'x' * 1000, client.data.recv(1000, socket.MSG_WAITALL))
        client.data.close()
        self.assertEqual(b'426', client.line()[:3])

    def test_files_that_change(self):
        def on():
            return On('RETR', 'bar.xml')
        for name, rule, data, reply, left in (
                ('grows before',
                 on().call(grow('bar.xml', b'+'), at='command'),
                 BAR + b'+', b'226', BAR + b'+'),
                ('grows meanwhile',
                 on().call(grow('bar.xml', b'+'), after_bytes=9),
                 BAR + b'+', b'226', BAR + b'+'),
                ('grows after', on().call(grow('bar.xml', b'+')),
                 BAR, b'226', BAR + b'+'),
                ('shrinks', on().call(shrink('bar.xml', 5), after_bytes=9),
                 BAR[:9], b'451', BAR[:5]),
                ('vanishes', on().call(vanish('bar.xml'), after_bytes=9),
                 BAR, b'226', None),
                ('is rewritten',
                 on().call(rewrite('bar.xml', b'#' * 220), after_bytes=9),
                 BAR[:9] + b'#' * 211, b'226', b'#' * 220),
                ('is replaced', on().call(put('bar.xml', b'#'), after_bytes=9),
                 BAR, b'226', b'#')):
            with self.subTest(name):
                received, answer = self.get(rule)
                self.assertEqual((data, reply), (received, answer[:3]))
                self.assertEqual(left, self.server.files.data.get('bar.xml'))
                changed = self.server.files.get('bar.xml')
                if changed is not None:
                    self.assertGreater(changed.mtime, BEGINNING)

    def test_a_foreign_lock_between_two_looks(self):
        self.serve(On('SIZE', 'write', times=1).call(put('write', b'me')),
                   On('SIZE', 'read', times=1).call(mkdir('mutex')))
        client = self.raw()
        self.assertEqual(b'550', client.ask('SIZE write')[:3])
        self.assertEqual(b'213 2', client.ask('SIZE write')[:5])
        client.ask('SIZE read')
        self.assertIn('mutex', self.server.directories)


class UploadTest(FaultyTest):

    def put(self, rule, data=b'0123456789'):
        self.serve(rule)
        client = self.raw()
        client.start('STOR read')
        client.data.sendall(data)
        client.data.close()
        return client.reply()[:3], self.server.files.data.get('read')

    def test_what_is_left(self):
        for name, rule, reply, left in (
                ('good', On('NOOP'), b'226', b'0123456789'),
                ('disk full', On('STOR').reply('452 Full.', after_bytes=4),
                 b'452', b'0123'),
                ('truncated', On('STOR').truncate(4), b'226', b'0123'),
                ('reply lost', On('STOR').drop_control(at='done'),
                 b'', b'0123456789'),
                ('dropped', On('STOR').drop_control(after_bytes=4),
                 b'', b'0123'),
                ('wrong reply', On('STOR').reply('550 x', done=True),
                 b'550', b'0123456789')):
            with self.subTest(name):
                self.assertEqual((reply, left), self.put(rule))

    def test_a_client_does_not_notice_that_its_data_were_truncated(self):
        data = b'x' * 10000000
        self.assertEqual(
            (b'226', b'xxxx'), self.put(On('STOR').truncate(4), data))

    def test_refused(self):
        self.serve(On('STOR').reply('550 No.'))
        self.assertEqual(b'550', self.raw().ask('STOR read')[:3])
        self.assertNotIn('read', self.server.files)


class ListingTest(FaultyTest):

    def lines(self, rule, command='MLSD', **settings):
        self.serve(rule, **settings)
        data, self.reply = self.raw().get(command)
        return data.split(b'\r\n')[:-1]

    def test_hostile_names(self):
        names = ['../x', '/etc/passwd', 'a\0b', 'a\rb', '.', '..', 'x/y']
        self.serve(files=dict.fromkeys(names, b'evil'))
        client = self.raw()
        self.assertEqual(
            sorted(names),
            client.get('NLST')[0].decode('latin-1').split('\r\n')[:-1])
        self.assertEqual(b'evil', client.get('RETR ../x')[0])
        self.assertEqual(b'evil', client.get('RETR /etc/passwd')[0])

    def test_entries(self):
        on = On('MLSD').entries(
            Entry('../x', size=-1, modify='garbage'),
            Entry('y', size=None, modify=None, type='cdir'), b'rubbish\r\n')
        self.assertEqual(
            [b'type=file;size=-1;modify=garbage; ../x', b'type=cdir; y',
             b'rubbish'], self.lines(on)[2:])

    def test_only_these_entries(self):
        self.assertEqual(
            [b'x'], self.lines(On('NLST').entries(Entry('x'), only=True),
                               'NLST'))

    def test_facts(self):
        year = next_year()
        for facts, seen in (
                (dict(size=10 ** 30), b'size=%d;' % 10 ** 30),
                (dict(size='many'), b'size=many;'),
                (dict(modify='19700101000000'), b'modify=19700101000000;'),
                (dict(modify=year), b'modify=%s;' % year.encode()),
                (dict(type='OS.unix=slink:/x'), b'type=OS.unix=slink:/x;'),
                (dict(name='other'), b' other')):
            with self.subTest(facts):
                line, other = self.lines(On('MLSD').facts('bar.xml', **facts))
                self.assertIn(seen, line)
                self.assertNotIn(seen, other)

    def test_facts_of_all(self):
        self.assertEqual(
            [b'type=file;modify=20240501120000; ' + name.encode()
             for name in FILES], self.lines(On('MLSD').facts('*', size=None)))

    def test_list(self):
        line, other = self.lines(
            On('LIST').facts('bar.xml', size=-5, modify='Foo 99'), 'LIST')
        self.assertRegex(line, rb'^-rw-r--r-- .* -5 Foo 99 bar.xml$')

    def test_the_same_name_twice(self):
        self.assertEqual(
            [b'bar.xml', b'bar.xml', b'foo.xml'],
            self.lines(On('NLST').twice('bar.xml'), 'NLST'))

    def test_cut_off(self):
        self.assertEqual([b'bar.xml'], self.lines(On('NLST').first(1), 'NLST'))
        self.assertEqual(b'226 Transfer', self.reply[:12])

    def test_cut_off_as_pure_ftpd_does(self):
        self.assertEqual([b'bar.xml'], self.lines(
            On('NLST').first(1).reply('226 Output truncated', done=True),
            'NLST'))
        self.assertEqual(b'226 Output truncated\r\n', self.reply)

    def test_dropped_in_the_middle_yet_226(self):
        self.assertEqual([], self.lines(
            On('MLSD').drop_data(20, reply='226 Done.')))
        self.assertEqual(b'226 Done.\r\n', self.reply)

    def test_a_million_entries(self):
        self.serve(On('NLST').many(10 ** 6))
        client = self.raw()
        client.start('NLST')
        count = 0
        while block := client.data.recv(1 << 20):
            count += block.count(b'\n')
        self.assertEqual(10 ** 6 + 2, count)
        self.assertEqual(b'226', client.reply()[:3])

    def test_an_empty_directory(self):
        for reply in ('550 No files found.', '450 No files found.'):
            self.serve(On('NLST').reply(reply), files={})
            self.assertEqual(reply.encode(), self.raw().ask('NLST').strip())
        self.assertEqual([], self.lines(On('NOOP'), 'NLST', files={}))

    def test_order(self):
        self.assertEqual([b'foo.xml', b'bar.xml'], self.lines(
            On('NOOP'), 'NLST',
            order=lambda names: sorted(names, reverse=True)))

    def test_a_directory_of_its_own(self):
        self.serve(directories=['in'], files={'in/bar.xml': b'x', 'y': b''})
        client = self.raw()
        client.ask('CWD in')
        self.assertEqual(b'bar.xml\r\n', client.get('NLST')[0])
        self.assertEqual(b'x', client.get('RETR bar.xml')[0])


class PassiveTest(FaultyTest):

    def test_refused_one_by_one(self):
        for verb in ('MKD', 'SIZE', 'MDTM', 'MLSD', 'MLST', 'EPSV', 'FEAT',
                     'TYPE', 'REST'):
            with self.subTest(verb):
                self.serve(On(verb).refuse())
                self.assertEqual(b'502', self.raw().ask(verb + ' x')[:3])

    def test_without_a_command(self):
        self.serve(without=['MLSD', 'SIZE'])
        client = self.raw()
        self.assertEqual(b'502', client.ask('SIZE bar.xml')[:3])
        features = client.ask('FEAT')
        self.assertNotIn(b'SIZE', features)
        self.assertNotIn(b'MLST', features)
        self.assertIn(b'EPSV', features)

    def test_another_host(self):
        self.serve(On('PASV').advertise('10.0.0.1'))
        self.assertIn(b'(10,0,0,1,', self.raw().ask('PASV'))

    def test_who_believes_in_another_host(self):
        self.serve(On('PASV').advertise('127.0.0.2'))
        client = self.ftp()
        client.trust_server_pasv_ipv4_address = True
        client.af = socket.AF_INET
        with self.assertRaisesRegex(ftplib.Error, '^425'):
            client.nlst()
        self.assertIn('session 1: connected to the host that PASV named',
                      self.server.violations)

    def test_who_does_not(self):
        self.serve(On('PASV').advertise('127.0.0.2'))
        self.assertEqual(['bar.xml', 'foo.xml'], self.ftp().nlst())
        self.assertEqual([], self.server.violations)

    def test_another_port(self):
        self.serve(On('EPSV').advertise(port=1))
        self.assertIn(b'(|||1|)', self.raw().ask('EPSV'))

    def test_garbage(self):
        self.serve(On('EPSV').reply('229 Entering (|||banana|)'))
        self.assertIn(b'banana', self.raw().ask('EPSV'))

    def test_address_in_use_once(self):
        self.serve(On('EPSV', times=1).reply('425 Address in use'))
        client = self.raw()
        self.assertEqual(b'425', client.ask('EPSV')[:3])
        self.assertEqual(b'229', client.ask('EPSV')[:3])
