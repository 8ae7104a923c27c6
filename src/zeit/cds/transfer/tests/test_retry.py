"""Trying again, resuming, and when to give up."""
import errno
import logging
import shutil
import threading
import time
import types
import unittest
from unittest import mock

from zeit.cds.feed import Feed
from zeit.cds.ftp import listing
from zeit.cds.ftp.control import Pending
from zeit.cds.ftp.session import FTPConnection
from zeit.cds.interfaces import (
    ConnectionLost,
    FTPError,
    Interrupted,
    LoginRefused,
    PermanentError,
    RunLimitReached,
    TemporaryError,
)
from zeit.cds.lock.lockfile import LockFile
from zeit.cds.main import run_export, run_import
from zeit.cds.net.stream import Listener
from zeit.cds.spool.store import FileSink
from zeit.cds.testing.faulty.server import Content, Entry, FaultyServer, On, rewrite
from zeit.cds.tests.importing import contents, new_spool, put
from zeit.cds.transfer.importing import Import
from zeit.cds.transfer.jobs import HASTE
from zeit.cds.transfer.retry import FIRST_PAUSE, LONGEST_PAUSE, Patience
from zeit.cds.transfer.tests.test_faults import logged


class Pauses(threading.Event):
    """Keeps the pauses, and doesn't take them."""

    def __init__(self):
        super().__init__()
        self.seconds = []

    def wait(self, timeout=None):
        self.seconds.append(timeout)
        return self.is_set()


class PatienceTest(unittest.TestCase):

    def fail_always(self, error=TemporaryError('again'), retries=9, seconds=10_000):
        pauses, calls = Pauses(), []

        def verb():
            calls.append(1)
            raise error

        with logged() as self.log, self.assertRaises(type(error)) as raised:
            Patience(retries, seconds, pauses).again(ConnectionLost('first'), verb)
        self.error = raised.exception
        return pauses.seconds, len(calls)

    def test_pauses_grow_and_differ(self):
        seconds, calls = self.fail_always()
        self.assertEqual(9, calls)
        self.assertEqual(9, len(seconds))
        for n, pause in enumerate(seconds):
            least = min(FIRST_PAUSE * 2 ** n, LONGEST_PAUSE)
            self.assertGreaterEqual(pause, least)
            self.assertLessEqual(pause, min(least + FIRST_PAUSE, LONGEST_PAUSE))
        self.assertGreater(len({pause % FIRST_PAUSE for pause in seconds[:5]}), 1)

    def test_each_pause_is_told(self):
        self.fail_always(retries=2)
        self.assertEqual(2, len(self.log.complaints))
        self.assertRegex(self.log.complaints[0], r'^Trying again in [0-9.]+ s: first$')
        self.assertRegex(self.log.complaints[1], r'^Trying again in [0-9.]+ s: again$')

    def test_last_error_counts(self):
        self.fail_always()
        self.assertEqual('again', str(self.error))

    def test_none_if_no_retries_are_wanted(self):
        pauses = Pauses()
        with self.assertRaisesRegex(ConnectionLost, 'first'):
            Patience(0, 10_000, pauses).again(ConnectionLost('first'), self.fail)
        self.assertEqual([], pauses.seconds)

    def test_what_does_not_pass_ends_it(self):
        for error in (PermanentError('no'), LoginRefused('no'), RunLimitReached('no'), ValueError('no')):
            seconds, calls = self.fail_always(error)
            self.assertEqual((1, 1), (len(seconds), calls))

    def test_no_pause_reaches_beyond_the_end_of_the_run(self):
        pauses = Pauses()
        with self.assertRaisesRegex(ConnectionLost, 'first'):
            Patience(9, FIRST_PAUSE / 2, pauses).again(ConnectionLost('first'), self.fail)
        self.assertEqual([], pauses.seconds)

    def test_none_when_the_run_was_stopped(self):
        pauses = Pauses()
        pauses.set()
        with self.assertRaisesRegex(ConnectionLost, 'first'):
            Patience(9, 10_000, pauses).again(ConnectionLost('first'), self.fail)

    def test_returns_what_the_verb_returns(self):
        self.assertEqual('done', Patience(1, 10_000, Pauses()).again(ConnectionLost('first'), lambda: 'done'))


class ServerTest(unittest.TestCase):

    files = {'a.xml': b'a'}

    def setUp(self):
        self.store_dir = new_spool()
        self.addCleanup(shutil.rmtree, self.store_dir)

    def serve(self, *script, **kw):
        server = FaultyServer(**{'files': self.files, 'script': script, **kw})
        server.start()
        self.addCleanup(server.stop)
        return server

    pause = 0.01        # seconds, in place of FIRST_PAUSE

    def feed(self, server, **settings):
        return Feed(**{**dict(
            store_dir=self.store_dir, hostname=server.host, port=server.port, user=server.user, timeout=10,
            password=server.password, ftp_dir='/', connections=1), **settings})

    def exchange(self, server, level=logging.DEBUG, **settings):
        feed = self.feed(server, **settings)
        with logged(level) as self.log, mock.patch('zeit.cds.transfer.retry.FIRST_PAUSE', self.pause):
            return (run_import if feed.direction == 'import' else run_export)(feed)

    @property
    def published(self):
        return {name.decode(): data for name, data in contents(self.store_dir + '/new').items()}


class TriesTest(ServerTest):
    """How often what is asked for."""

    def tries(self, rule, command, **kw):
        server = self.serve(rule)
        outcome = self.exchange(server, **kw)
        self.assertFalse(outcome.successful, self.log.text)
        return len(server.commands(command))

    def test_what_can_pass_is_tried_so_often(self):
        for retries in (0, 1, 3):
            for code in (425, 426, 450, 451, 452):
                self.assertEqual(1 + retries, self.tries(
                    On('MLSD').reply('%d Sorry.' % code), 'MLSD', retries=retries))
        self.assertEqual(4, self.tries(On('RETR', 'a.xml').reply('450 Sorry.'), 'RETR'))
        self.assertEqual(4, self.tries(On('RETR', 'a.xml').drop_control(), 'RETR'))
        self.assertEqual(4, self.tries(On('USER').reply('421 Sorry.'), 'USER'))
        self.assertEqual(4, self.tries(On('DELE', 'a.xml').reply('450 Sorry.'), 'DELE') - 1)    # one removes the lock

    def test_what_can_not_pass_is_tried_once(self):
        for code in (530, 550, 553):
            self.assertEqual(1, self.tries(On('RETR', 'a.xml').reply('%d No.' % code), 'RETR'))
        self.assertEqual(1, self.tries(On('PASS').reply('530 No.'), 'PASS'))
        self.assertEqual(1, self.tries(On('CWD').reply('550 No.'), 'CWD'))
        self.assertEqual(1, self.tries(On('MLSD NLST').reply('550 No.'), 'MLSD'))

    def test_server_that_is_down_is_not_asked_again(self):
        server = self.serve()
        server.stop()
        outcome = self.exchange(server)
        self.assertNotIn('Trying again', self.log.text)
        self.assertIsInstance(outcome.error, ConnectionLost)


class RemovalTest(ServerTest):
    """The server refuses to remove a file, for the moment."""

    files = {'%02d.xml' % n: b'a' for n in range(20)}
    pause = 0.1

    def check(self, server, **settings):
        times = []
        server.when(On('DELE', '00.xml').reply('450 Busy.'), lambda server: times.append(time.monotonic()))
        outcome = self.exchange(server, **settings)
        self.assertEqual(['00.xml'], [name for name, reason in outcome.failed], self.log.text)
        self.assertEqual(['00.xml'], list(server.files))
        self.assertEqual(19, len(self.published))
        return [later - earlier for earlier, later in zip(times, times[1:])]

    def test_pauses_grow_while_other_files_come(self):
        for character in 'plain', 'pure-ftpd':
            for connections in 1, 4:
                with self.subTest(character=character, connections=connections):
                    self.store_dir = new_spool()
                    self.addCleanup(shutil.rmtree, self.store_dir)
                    server = self.serve(character=character)
                    pauses = self.check(server, connections=connections)
                    self.assertEqual(3, len(pauses))
                    for n, pause in enumerate(pauses):
                        self.assertGreaterEqual(pause, self.pause * 2 ** n)
                    commands = server.commands('RETR DELE')
                    self.assertLess(commands.index('RETR 19.xml'), len(commands) - commands[::-1].index('DELE 00.xml') - 1)
                    self.assertLess(sum(pauses), 2)

    def test_many_files_share_the_pauses(self):
        server = self.serve(On('DELE', '*.xml').reply('450 Busy.'))
        outcome = self.exchange(server)
        self.assertEqual(20, len(outcome.failed), self.log.text)
        self.assertLess(outcome.seconds, 3)

    def test_a_run_that_is_stopped_does_not_wait(self):
        server = self.serve(On('DELE', '00.xml').reply('450 Busy.'))
        run = Import(self.feed(server), FTPConnection(), LockFile(), FileSink())
        server.when(On('DELE', '00.xml', times=1),
                    lambda server: threading.Timer(0.3, run.stop, [Interrupted('Enough.')]).start())
        with logged(), mock.patch('zeit.cds.transfer.retry.FIRST_PAUSE', 20):
            outcome = run()
        self.assertIsInstance(outcome.error, Interrupted)
        self.assertLess(outcome.seconds, 5)
        self.assertEqual(2, server.commands('DELE').count('DELE 00.xml'))
        self.assertEqual(['00.xml'], list(server.files))


class SessionsTest(ServerTest):
    """How many, and what they dare."""

    files = {'a.xml': b'a' * 50_000, 'b.xml': b'b' * 50_000, 'c.xml': b'c' * 50_000}

    def sessions(self, *script, **kw):
        """How many an import took."""
        server = self.serve(*script, character='vsftpd')
        with mock.patch('zeit.cds.transfer.run.BYTES_A_SESSION', 20_000):
            self.assertTrue(self.exchange(server, connections=3, **kw).successful, self.log.text)
        return len(server.commands('USER'))

    def test_several_for_large_files_whose_sizes_are_not_listed(self):
        with mock.patch('zeit.cds.transfer.run.NEAR', 1):
            self.assertEqual(3, self.sessions(On('USER').stall(0.01)))

    def test_a_file_whose_size_is_not_to_be_had_does_not_stop_the_others(self):
        server = self.serve(On('USER').stall(0.01), On('SIZE', 'b.xml').reply('450 Busy.'), character='vsftpd')
        outcome = self.exchange(server, connections=3, retries=0)
        self.assertIsNone(outcome.error)
        self.assertEqual({'a.xml', 'c.xml'}, set(self.published), self.log.text)

    def test_an_answer_that_never_came_is_no_success(self):
        pending = Pending(types.SimpleNamespace(flush=lambda: None), b'DELE a.xml', lambda reply: None)
        self.assertRaises(ConnectionLost, pending.get)

    def test_late_refusal_of_a_password_is_told(self):
        self.exchange(self.serve(character='pyftpdlib'), password='another')
        self.assertIn('530 Authentication failed.', self.log.complaints[-1] + self.log.text.rpartition('LoginRefused')[2])

    def test_fewer_on_a_short_line(self):
        with mock.patch('zeit.cds.transfer.run.LONG_LINE', 10), mock.patch('zeit.cds.transfer.run.NEAR', 1):
            self.assertEqual(2, self.sessions())

    def test_haste_ends_when_it_was_too_much_for_the_server(self):
        server = self.serve(On('RETR').swallow(), character='pure-ftpd')
        self.assertTrue(self.exchange(server, timeout=0.3).successful, self.log.text)
        self.assertEqual(3, len(self.published))
        self.assertNotIn('Trying again', self.log.text)
        self.assertEqual(HASTE + 3, len(server.commands('RETR')))

    def test_haste_ends_when_the_server_fell_silent(self):
        server = self.serve(On('RETR').swallow('226 Done.', 9), character='pure-ftpd')
        self.assertTrue(self.exchange(server, timeout=0.3).successful, self.log.text)
        self.assertEqual(1, self.log.text.count('Trying again'))
        self.assertEqual(4, len(server.commands('RETR')))

    def check_each_way_is_arranged_for_by_itself(self, server, *verbs):
        sent = server.commands()
        first, *others = [n for n, command in enumerate(sent) if command == 'EPSV']
        self.assertEqual('CWD /', sent[first - 1])
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
    """A server that allows a user one session: what has to be done at the end is done in the one that there is."""

    def check(self, *script):
        put(self.store_dir + '/tmp', 'left.xml', b'from an earlier run')    # so that no listing comes before the lock
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
        with mock.patch('zeit.cds.transfer.jobs.WINDOW', 20):
            outcome = self.exchange(server, connections=4, run_limit=8)
        self.assertTrue(outcome.successful, self.log.text)
        self.assertEqual(self.files.keys(), self.published.keys())
        self.assertEqual([], server.unused)


def scarce(number):
    """A Listener that finds no port, but for so many times before and ever after."""
    class Scarce(Listener):

        left = number

        def __init__(self, *args):
            Scarce.left -= 1
            if Scarce.left == -1:
                raise OSError(errno.EMFILE, 'Too many open files')
            super().__init__(*args)

    return Scarce


class StepTest(ServerTest):
    """Each reply is taken for that of its own command, or the session ends."""

    files = {'%s.xml' % name: b'a' for name in 'abc'}

    def check(self, server, **settings):
        """Import from it; how often it was tried again."""
        self.store_dir = new_spool()
        self.addCleanup(shutil.rmtree, self.store_dir)
        outcome = self.exchange(server, **settings)
        self.assertTrue(outcome.successful, self.log.text)
        self.assertEqual(self.files, self.published)
        self.assertEqual(({}, [], []), (server.files.data, server.unused, server.violations))
        return self.log.text.count('Trying again')

    def test_way_to_the_data_that_is_none(self):
        for character in 'plain', 'pure-ftpd':
            for n in range(5):
                for rules in ((On('EPSV', skip=n, times=1).reply('229 Here you are.'),),
                              (On('EPSV').refuse(), On('PASV', skip=n, times=1).reply('227 (1,2,3,4,999,999)'))):
                    with self.subTest(character=character, n=n, verbs=len(rules)):
                        server = self.serve(*rules, character=character)
                        self.assertLessEqual(self.check(server), 1, self.log.text)

    def test_no_port_where_the_server_could_bring_the_data(self):
        for character in 'plain', 'pure-ftpd':
            for n in range(6):
                with self.subTest(character=character, n=n), mock.patch('zeit.cds.ftp.data.Listener', scarce(n)):
                    server = self.serve(character=character)
                    self.assertLessEqual(self.check(server, active=True), 1, self.log.text)
                    self.assertEqual([], server.commands('EPSV'))
                    self.assertEqual(1, len(server.commands('USER')), self.log.text)

    def test_reply_to_eprt_that_does_not_fit(self):
        for character in 'plain', 'pure-ftpd':
            server = self.serve(On('EPRT', times=1).reply('202 Superfluous.'), character=character)
            self.assertEqual(0, self.check(server, active=True))
            self.assertEqual([1, 1], [len(server.commands(verb)) for verb in ('EPRT', 'USER')])
            self.assertIn('we do, since its answer is not 200: 202 Superfluous.', self.log.complaints[0])
            for n in range(1, 5):
                with self.subTest(character=character, n=n):
                    server = self.serve(On('EPRT', skip=n, times=1).reply('226 Done.', done=True), character=character)
                    self.assertLessEqual(self.check(server, active=True), 1)

    def test_final_reply_to_an_upload_that_does_not_fit(self):
        server = self.serve(On('STOR', 'read', times=1).reply('350 More?', done=True))
        self.assertEqual(1, self.check(server))
        self.assertGreater(len(server.commands('USER')), 1)


class ResumeTest(ServerTest):
    """A file of which a part is here."""

    data = bytes(range(256)) * 200

    @property
    def files(self):
        return {'big.bin': Content(self.data, 1_700_000_000.0)}

    def run(self, result=None):
        with mock.patch('zeit.cds.transfer.worker.RESUME', 1000):
            super().run(result)

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
        self.check(self.break_off(), On('REST', times=1).reply('450 Not now.'), rests=('REST 20000', 'REST 20000'))

    def test_rest_without_effect(self):
        self.check(self.break_off(), On('RETR', 'big.bin', skip=1, times=1).serve(self.data))

    def test_rest_to_another_place(self):
        self.check(self.break_off(), On('RETR', 'big.bin', skip=1, times=1).serve(self.data[25_000:]))

    def test_rest_to_the_end(self):
        self.check(self.break_off(), On('RETR', 'big.bin', skip=1, times=1).serve(b''))

    def test_rest_that_is_answered_with_2yz(self):
        self.check(self.break_off(), On('REST', times=1).reply('250 Fine.'), rests=('REST 20000', 'REST 20000'))


class RunLimitTest(ServerTest):
    """A server that sends a byte now and then does not keep a run for ever: in no phase."""

    def check_end(self, *script, **kw):
        server = self.serve(*script)
        outcome = self.exchange(server, run_limit=1, timeout=30, **kw)
        self.assertIsInstance(outcome.error, RunLimitReached, self.log.text)
        self.assertLess(outcome.seconds, 8)     # of the 30 that silence may last, and of the hours that it drips
        self.assertIn('a.xml', server.files)
        self.assertEqual({}, self.published)
        server.behave()
        self.assertTrue(server.wait_until(lambda: not server.open_sessions))
        self.assertEqual([],
                         [name for name in ('read', '.cds-mutex') if name in {**server.files, **server.directories}])

    def test_login(self):
        self.check_end(On('PASS').shape(lambda reply: b'230-' + b'x' * 30_000 + b'\r\n' + reply).drip_reply(0.05))

    def test_greeting(self):
        self.check_end(On('GREETING').shape(lambda reply: b'220-' + b'x' * 30_000 + b'\r\n' + reply).drip_reply(0.05))

    def test_listing(self):
        self.check_end(On('MLSD').many(1000).drip(0.05))

    def test_data(self):
        self.check_end(On('RETR', 'a.xml').serve(lambda: [b'x' * 10_000]).drip(0.05))

    def test_data_that_stall(self):
        self.check_end(On('RETR', 'a.xml').stall(after_bytes=1))

    def test_reply_to_a_transfer(self):
        self.check_end(On('RETR',
                          'a.xml').shape(lambda reply: b'226-' + b'x' * 30_000 + b'\r\n' + reply).drip_reply(0.05))


class HugeListingTest(ServerTest):

    def test_a_million_entries(self):
        server = self.serve(On('MLSD', times=1).many(1_000_000, 'many-{}.tmp'))
        outcome = self.exchange(server, include=('*.xml',), timeout=60, level=logging.INFO)
        self.assertIsNone(outcome.error)
        self.assertEqual({'a.xml': b'a'}, self.published)

    def check_end(self, rule):
        with mock.patch.object(listing, 'MAX_ENTRIES', 20_000), mock.patch.object(listing, 'MAX_BYTES', 10_000_000):
            server = self.serve(rule)
            outcome = self.exchange(server)
        self.assertIsInstance(outcome.error, FTPError)
        self.assertIn('seems to be without end', str(outcome.error))
        self.assertIn('move some out of the directory', self.log.text)
        self.assertEqual(1, len(server.commands('MLSD')))
        self.assertEqual(0, len(server.commands('NLST')))
        self.assertEqual({}, self.published)
        self.assertEqual({'a.xml': b'a'}, server.files.data)

    def test_entries_without_end(self):
        self.check_end(On('MLSD').many(10 ** 9))

    def test_nonsense_without_end(self):
        self.check_end(On('MLSD').relist(lambda entries: iter(lambda: Entry(line=b'nonsense\r\n'), None)))
        self.assertEqual(10, self.log.text.count('nonsense'))

    def test_long_lines_without_end(self):
        self.check_end(On('MLSD').relist(lambda entries: iter(lambda: Entry('x' * 8000), None)))

    def test_nonsense_is_told_of_some_times(self):
        server = self.serve(On('MLSD', times=1).entries(*[b'nonsense\r\n'] * 5000))
        self.assertTrue(self.exchange(server).successful)
        self.assertEqual(11, len(self.log.complaints))
        self.assertEqual('5000 lines of the listing make no sense.', self.log.complaints[-1])

    def test_files_that_stay_are_told_of_a_thousand_times(self):
        server = self.serve(On('MLSD').many(1500, 'a/b-{}'))
        outcome = self.exchange(server)
        self.assertEqual(1500, len(outcome.failed))
        self.assertEqual(1000, len([line for line in self.log.complaints if 'a slash' in line]))
