"""How many sessions there are, and what becomes of those that do not come about."""
from zeit.cds.testing.faulty import On
from zeit.cds.tests.importing import put
from zeit.cds.transfer.tests.faulty import ServerTest
from zeit.cds.transfer.tuning import Tuning


class SessionsTest(ServerTest):
    """How many, and what they dare."""

    tuning = Tuning(first_pause=0.01, bytes_a_session=20_000)
    files = {'a.xml': b'a' * 50_000, 'b.xml': b'b' * 50_000, 'c.xml': b'c' * 50_000}

    def sessions(self, *script, **kw):
        """How many an import took."""
        server = self.serve(*script, character='vsftpd')
        self.assertTrue(self.exchange(server, connections=3, **kw).successful, self.log.text)
        return len(server.commands('USER'))

    def test_several_for_large_files_whose_sizes_are_not_listed(self):
        self.tuning = self.tuning._replace(near=1)
        self.assertEqual(3, self.sessions(On('USER').stall(0.01)))

    def test_a_file_whose_size_is_not_to_be_had_does_not_stop_the_others(self):
        server = self.serve(On('USER').stall(0.01), On('SIZE', 'b.xml').reply('450 Busy.'),
                            character='vsftpd')
        outcome = self.exchange(server, connections=3, retries=0)
        self.assertIsNone(outcome.error)
        self.assertEqual({'a.xml', 'c.xml'}, set(self.published), self.log.text)

    def test_late_refusal_of_a_password_is_told(self):
        self.exchange(self.serve(character='pyftpdlib'), password='another')
        self.assertIn('530 Authentication failed',
                      self.log.complaints[-1] + self.log.text.rpartition('LoginRefused')[2])

    def test_fewer_on_a_short_line(self):
        self.tuning = self.tuning._replace(near=1, long_line=10.0)
        self.assertEqual(2, self.sessions())

    def test_nothing_is_sent_ahead_when_the_server_did_not_bear_it(self):
        server = self.serve(On('RETR').swallow(), character='pure-ftpd')
        self.assertTrue(self.exchange(server, timeout=0.3).successful, self.log.text)
        self.assertEqual(3, len(self.published))
        self.assertNotIn('Trying again', self.log.text)
        self.assertEqual(3, len(server.commands('RETR')))      # each was whole

    def test_nothing_is_sent_ahead_when_the_server_fell_silent(self):
        server = self.serve(On('RETR').swallow('226 Done.', 9), character='pure-ftpd')
        self.assertTrue(self.exchange(server, timeout=0.3).successful, self.log.text)
        self.assertEqual(1, self.log.text.count('Trying again'))
        self.assertEqual(3, len(server.commands('RETR')))

    def check_each_way_is_arranged_for_by_itself(self, server, *verbs):
        sent = server.commands()
        first, *others = [n for n, command in enumerate(sent) if command == 'EPSV']
        self.assertEqual('PWD', sent[first - 1])    # the last of the probe
        self.assertEqual(set(verbs), {sent[n + 1].partition(' ')[0] for n in others})

    def test_way_that_was_arranged_in_a_step_with_others_leads_nowhere(self):
        """As it happens behind a firewall that looks at the beginning of packets only."""
        server = self.serve(On('EPSV', times=1).advertise(port=1))
        self.assertTrue(self.exchange(server).successful, self.log.text)
        self.check_each_way_is_arranged_for_by_itself(server, 'STOR', 'MLSD', 'RETR')

    def test_such_a_way_in_an_export(self):
        for name in self.files:
            put(self.store_dir + '/new', name, b'1')
        server = self.serve(On('EPSV', times=1).advertise(port=1), files={})
        self.assertTrue(self.exchange(server, direction='export').successful, self.log.text)
        self.check_each_way_is_arranged_for_by_itself(server, 'STOR')


class OneSessionTest(ServerTest):
    """A server that allows a user one session: what has to be done at the end is done in it."""

    def check(self, *script):
        put(self.store_dir + '/tmp', 'left.xml',
            b'from an earlier run')    # so that no listing comes before the lock
        server = self.serve(*script, max_sessions=1)
        outcome = self.exchange(server)
        self.assertTrue(outcome.successful, self.log.text)
        self.assertEqual({}, server.files.data)
        self.assertEqual({'a.xml', 'left.xml'}, set(self.published))

    def test_lock_is_removed_in_the_session_that_follows_a_broken_one(self):
        self.check(On('MLSD', times=1).drop_control())

    def test_lock_is_removed_in_another_one_if_that_breaks_as_well(self):
        self.check(On('MLSD', times=1).drop_control(), On('DELE', 'read', times=1).drop_control())


class LateSessionTest(ServerTest):
    """A further session does not come about. Nobody needs it when all files are here."""

    files = {'%02d.xml' % n: b'a' for n in range(40)}

    def check(self, *script):
        server = self.serve(*script)
        outcome = self.exchange(server, connections=4, timeout=20, run_limit=10)
        self.assertTrue(outcome.successful, self.log.text)
        self.assertEqual((self.files, {}), (self.published, server.files.data))
        self.assertEqual([], self.log.complaints)
        self.assertEqual([], [rule for rule in server.unused if rule.session == 2])
        server.behave()
        self.assertTrue(server.wait_until(lambda: not server.open_sessions))

    def test_server_that_never_greets_it(self):
        self.check(*(On('GREETING', session=n).stall() for n in range(2, 9)))

    def test_server_that_answers_no_password(self):
        self.check(*(On('PASS', session=n).stall() for n in range(2, 9)))

    def test_server_that_greets_nobody_after_it_refused_the_fast_way(self):
        self.check(*(On('USER', session=n).reply('503 Slowly.') for n in range(2, 5)),
                   *(On('GREETING', session=n).stall() for n in range(5, 12)))


class WindowTest(ServerTest):
    """More files than may be underway."""

    files = {'%02d.xml' % n: b'a' for n in range(60)}

    def test_sessions_go_on_when_the_oldest_file_is_there_at_last(self):
        server = self.serve(On('RETR', '00.xml', times=1).stall(0.5, at='done'))
        self.tuning = self.tuning._replace(window=20)
        outcome = self.exchange(server, connections=4, run_limit=8)
        self.assertTrue(outcome.successful, self.log.text)
        self.assertEqual(self.files.keys(), self.published.keys())
        self.assertEqual([], server.unused)
