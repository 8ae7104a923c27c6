"""A file of which a part is here goes on where it ended."""
from zeit.cds.testing.faulty import Content, On, rewrite
from zeit.cds.transfer.tests.faulty import ServerTest
from zeit.cds.transfer.tuning import Tuning


class ResumeTest(ServerTest):
    """A file of which a part is here."""

    tuning = Tuning(first_pause=0.01, resume=1000)
    data = bytes(range(256)) * 200

    @property
    def files(self):
        return {'big.bin': Content(self.data, 1_700_000_000.0)}

    def check(self, *script, rests=('REST 20000',), **kw):
        server = self.serve(*script, **kw)
        outcome = self.exchange(server)
        self.assertTrue(outcome.successful, self.log.text)
        self.assertEqual(list(rests), server.commands('REST'))
        self.assertEqual([], server.unused)
        self.assertEqual({'big.bin': self.data}, self.published)
        self.assertEqual({}, server.files.data)
        self.assertEqual([], server.violations)

    def break_off(self, **kw):
        return On('RETR', 'big.bin', times=1, **kw).drop_data(20_000)

    def test_goes_on_where_it_ended(self):
        self.check(self.break_off())

    def test_after_the_control_connection_was_lost(self):
        server = self.serve(On('RETR', 'big.bin', times=1).drop_control(after_bytes=20_000))
        self.assertTrue(self.exchange(server).successful)
        self.assertEqual({'big.bin': self.data}, self.published)
        self.assertEqual(1, len(server.commands('REST')))

    def test_twice(self):
        self.check(self.break_off(), On('RETR', 'big.bin', skip=1, times=1).drop_data(10_000),
                   rests=('REST 20000', 'REST 30000'))

    def test_truncated_and_226(self):
        self.check(On('RETR', 'big.bin', times=1).truncate(20_000))

    def test_by_servers_without_mlsd(self):
        self.check(self.break_off(), character='vsftpd')

    def test_not_where_the_server_tells_no_time(self):
        self.check(self.break_off(), character='vsftpd', without=['MDTM'], rests=())

    def test_a_small_part_is_not_worth_it(self):
        self.check(On('RETR', 'big.bin', times=1).drop_data(999), rests=())

    def test_file_of_another_time_is_fetched_anew(self):
        new = self.data[::-1]
        server = self.serve(On('RETR', 'big.bin', times=1).call(
            rewrite('big.bin', new), after_bytes=20_000).drop_data(20_000))
        self.assertTrue(self.exchange(server).successful, self.log.text)
        self.assertEqual([], server.commands('REST'))
        self.assertEqual({'big.bin': new}, self.published)

    def test_file_of_another_size_is_fetched_anew(self):
        new = self.data + b'more'
        server = self.serve(On('RETR', 'big.bin', times=1).call(
            rewrite('big.bin', new, 1_700_000_000.0), after_bytes=20_000).drop_data(20_000))
        self.assertTrue(self.exchange(server).successful, self.log.text)
        self.assertEqual([], server.commands('REST'))
        self.assertEqual({'big.bin': new}, self.published)

    def test_file_that_changes_while_it_is_resumed_stays(self):
        server = self.serve(self.break_off(), On('RETR', 'big.bin', skip=1).call(
            rewrite('big.bin', self.data[::-1]), after_bytes=5000))
        self.exchange(server)
        self.assertEqual({}, self.published)
        self.assertIn('big.bin', server.files)

    def test_rest_not_known(self):
        self.check(self.break_off(), On('REST').refuse())

    def test_rest_refused(self):
        self.check(self.break_off(), On('REST').reply('554 No.'))

    def test_rest_refused_for_now(self):
        self.check(self.break_off(), On('REST', times=1).reply('450 Not now.'),
                   rests=('REST 20000', 'REST 20000'))

    def test_rest_without_effect(self):
        self.check(self.break_off(), On('RETR', 'big.bin', skip=1, times=1).serve(self.data))

    def test_rest_to_another_place(self):
        self.check(self.break_off(),
                   On('RETR', 'big.bin', skip=1, times=1).serve(self.data[25_000:]))

    def test_rest_to_the_end(self):
        self.check(self.break_off(), On('RETR', 'big.bin', skip=1, times=1).serve(b''))

    def test_rest_that_is_answered_with_2yz(self):
        self.check(self.break_off(), On('REST', times=1).reply('250 Fine.'),
                   rests=('REST 20000', 'REST 20000'))
