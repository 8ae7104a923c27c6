"""What workers make of what sessions do."""
import os

import zope.interface

from zeit.cds.interfaces import (
    ConnectionLost,
    FileRefused,
    IPipelined,
    PermanentError,
    TemporaryError,
)
from zeit.cds.pipelined import AtOnce
from zeit.cds.testing.logs import recorded
from zeit.cds.transfer.tests.plain import Exchanges, Fault, QUICK


def at_once():
    error = ConnectionLost('It does not bear that.')
    error.at_once = True
    return error


@zope.interface.implementer(IPipelined)
class Silent(AtOnce):
    """It calls no `also`, against the contract."""

    def _end(self, result, also):
        return result


class Workers(Exchanges):

    files = {'%02d' % n: b'%d' % n for n in range(10)}

    def assert_imported(self, server, outcome, stays=()):
        self.assertIsNone(outcome.error, self.log.text)
        self.assertEqual(set(stays), set(server.files), self.log.text)
        self.assertEqual({name: data for name, data in self.files.items() if name not in stays},
                         self.spool('new'))

    def test_a_session_that_worked_too_fast_counts_as_no_failure(self):
        server = self.serve(Fault('read', at_once(), times=3), files=self.files)
        outcome = self.run_it(self.import_(server))
        self.assert_imported(server, outcome)
        self.assertEqual([], self.log.warnings)
        self.assertEqual(['00'] * 4 + sorted(self.files)[1:],
                         [name for name in server.called('read') if name in self.files])

    def test_nor_where_the_lock_or_the_listing_had_to_do_with_it(self):
        for verb in 'entries', 'write':
            with self.subTest(verb=verb):
                self.setUp()
                server = self.serve(Fault(verb, at_once(), times=1), files=self.files)
                self.assert_imported(server, self.run_it(self.import_(server)))
                self.assertEqual([], self.log.warnings)

    def test_an_export_that_worked_too_fast(self):
        server = self.serve(Fault('write', at_once(), skip=1, times=3))
        for name, data in self.files.items():
            self.offer(name, data)
        outcome = self.run_it(self.export(server))
        self.assertEqual((True, []), (outcome.successful, self.log.warnings))
        self.assertEqual(self.files, server.files)

    def test_a_file_without_end_costs_no_other_one(self):
        def endless(session, name, *args):
            with open(os.path.join(session.server.directory, name), 'ab') as f:
                f.write(b'x' * 100_000)

        server = self.serve(Fault('read', endless, name='03'), files=self.files)
        outcome = self.run_it(self.import_(server, QUICK._replace(surplus=1000)))
        self.assert_imported(server, outcome, ['03'])
        (name, reason), = outcome.failed
        self.assertIn('the server sends more and more', reason)
        self.assertEqual(1, len([line for line in self.log.warnings if '03' in line]))
        self.assertNotIn('Trying again', self.log.text)

    def test_a_session_that_died_after_a_file_costs_no_other_one(self):
        server = self.serve(files=self.files)
        server.faults.append(Fault(
            'read', lambda session, *args: session.abort(), name='03', after=True, times=1))
        outcome = self.run_it(self.import_(server))
        self.assertEqual([], [name for name, reason in outcome.failed if name != '03'])

    def test_also_is_never_called(self):
        for run, more in (self.import_, 0), (self.export, 0), (self.import_, 1):
            server = self.serve(files=self.files if run == self.import_ else {})
            server.pipelined = Silent
            if more:
                server.times = False
            for name, data in self.files.items() if run == self.export else ():
                self.offer(name, data)
            outcome = self.run_it(run(server))
            self.assertTrue(outcome.successful, self.log.text)
            self.assertEqual(10, outcome.files, self.log.text)
            for name in self.spool('new'):
                os.unlink(os.path.join(self.store_dir, 'new', name))

    def test_a_file_that_the_disk_refuses_at_commit(self):
        server = self.serve(files=self.files)
        run = self.import_(server)
        sink = run._sink

        class Refusing:
            def open(self, feed):
                spool = sink.open(feed)
                commit = spool.commit

                def refusing(incomings):
                    for incoming in incomings:
                        if incoming.name == '04':
                            error = FileRefused('there is no room for it')
                            error.incoming = incoming
                            raise error
                    commit(incomings)
                spool.commit = refusing
                return spool

        run._sink = Refusing()
        outcome = self.run_it(run)
        self.assertEqual([('04', 'there is no room for it')], outcome.failed, self.log.text)
        self.assert_imported(server, outcome, ['04'])
        self.assertEqual({}, self.spool('tmp'))

    def test_a_server_that_is_gone_ends_the_run_and_no_file_is_to_blame(self):
        server = self.serve(Fault('read', ConnectionLost('Off.'), name='03'),
                            Fault('open', ConnectionLost('Off.'), skip=1), files=self.files)
        with recorded() as self.log:
            outcome = self.import_(server)()
        self.assertIsInstance(outcome.error, ConnectionLost)
        self.assertEqual([], outcome.failed)
        self.assertLess(server.count('open'), 6)    # not once for each file

    def test_a_removal_that_is_refused_for_the_moment(self):
        server = self.serve(Fault('remove', TemporaryError('Busy.'), name='03', times=2),
                            files=self.files)
        outcome = self.run_it(self.import_(server, retries=2))
        self.assert_imported(server, outcome)

    def test_a_rename_that_is_always_refused_for_the_moment(self):
        """For some servers that is for ever: the file is stored under its own name."""
        def busy(session, name):
            if name.startswith('.a.') and session.server.count('rename'):
                raise TemporaryError('Busy.')

        for faults in (), (Fault('stat', busy),):
            with self.subTest(faults=len(faults)):
                server = self.serve(Fault('rename', TemporaryError('Busy.')), *faults)
                self.offer('a')
                outcome = self.run_it(self.export(server, retries=1))
                self.assertIsNone(outcome.error, self.log.text)
                self.assertEqual(['a'] if faults else [], [name for name, _ in outcome.failed])


class Vanished(Exchanges):
    """A file is gone when we come for it: does the server still list it?"""

    def check(self, *faults, **settings):
        def take(session, name, *args):
            session.server.take(name)

        server = self.serve(Fault('read', take, name='b', times=1), *faults,
                            files={'a': b'1', 'b': b'2', 'c': b'3'})
        outcome = self.run_it(self.import_(server, **settings))
        self.assertIsNone(outcome.error, self.log.text)
        self.assertEqual({'a': b'1', 'c': b'3'}, self.spool('new'))
        self.assertEqual({}, server.files)
        return outcome

    def test_it_was_taken_away(self):
        outcome = self.check()
        self.assertEqual([('b', 'somebody else has taken it away')], outcome.skipped)

    def test_the_listing_fails_once(self):
        for error in TemporaryError('451 Busy.'), ConnectionLost('Reset.'):
            with self.subTest(error=type(error).__name__):
                self.setUp()
                outcome = self.check(Fault('entries', error, skip=1, times=1), retries=1)
                self.assertEqual([('b', 'somebody else has taken it away')], outcome.skipped)

    def test_the_listing_always_fails(self):
        for error in TemporaryError('451 Busy.'), PermanentError('550 No.'), ConnectionLost('Off.'):
            with self.subTest(error=type(error).__name__):
                self.setUp()
                (name, reason), = self.check(Fault('entries', error, skip=1)).failed
                self.assertEqual('b', name)
                self.assertIn('the server does not tell what became of it: %s' % error, reason)


class Withdrawing(Exchanges):
    """No part stays under a name, and no session stays open."""

    def test_the_session_fails_once_more(self):
        lost = ConnectionLost('Reset.')
        server = self.serve(
            Fault('rename', PermanentError('No.')),
            Fault('write', lambda session, name, *args: server.put(name, b'da'), name='b'),
            Fault('write', lost, name='b'), Fault('remove', lost, name='b'))
        for name in 'ab':
            self.offer(name)
        self.run_it(self.export(server))    # asserts that no session is open
        self.assertIn('could not be removed: b', self.log.text)
        server.faults.clear()
        self.run_it(self.export(server))
        self.assertEqual({'a': b'data', 'b': b'data'}, server.files)
