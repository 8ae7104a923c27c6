"""The verbs of a session, on each of the four servers, and on one that lacks what it can."""
import unittest

from zope.interface.verify import verifyObject

from zeit.cds.ftp.session import FTPConnection
from zeit.cds.ftp.tests.support import FaultySessions, Sessions
from zeit.cds.interfaces import (
    ConnectionLost,
    Entry,
    ICDSConnection,
    ICDSSession,
    IPipelined,
    NotSupported,
    PermanentError,
    RunLimitReached,
    TemporaryError,
)
from zeit.cds.memory import Memory, read
from zeit.cds.pipelined import pipelined
from zeit.cds.testing import on_servers
from zeit.cds.testing.faulty import On
from zeit.cds.transfer.retry import Deadline


DAY = 86400 * 10**9


class Verbs(Sessions):
    """What each server does."""

    def setUp(self):
        self.session = self.open(self.server)

    def test_interfaces(self):
        verifyObject(ICDSConnection, FTPConnection())
        verifyObject(ICDSSession, self.session)
        verifyObject(IPipelined, IPipelined(self.session))
        self.assertIs(pipelined(self.session), pipelined(self.session))
        self.assertIs(False, self.session.blocking)
        self.assertGreater(self.session.latency, 0)

    def test_files(self):
        session = self.session
        self.assertEqual([], list(session.entries()))
        self.assertEqual(3, session.write('a', b'abc'))
        pieces = iter([b'de', bytearray(b'f'), memoryview(b'gh')])
        self.assertEqual(5, session.write('a', pieces, 3))
        self.assertEqual(b'abcdefgh', read(session, 'a'))
        sink = Memory()
        self.assertEqual(3, session.read('a', sink, 5))
        self.assertEqual(b'fgh', bytes(sink.data))
        self.assertEqual(['a'], [entry.name for entry in session.entries()])
        session.rename('a', 'b')
        self.assertEqual((None, 8), (session.stat('a'), session.stat('b').size))
        session.remove('b')
        for verb in session.remove, lambda name: session.rename(name, 'c'), lambda name: read(
                session, name):
            self.assertRaises(PermanentError, verb, 'b')
        self.assertTrue(session.alive)

    def test_nothing_is_written(self):
        self.session.write('a', b'')
        self.session.write('b', [])
        self.assertEqual((0, 0), (self.session.stat('a').size, self.session.stat('b').size))

    def test_directories(self):
        session = self.session
        session.make_directory('d')
        self.assertRaises(PermanentError, session.make_directory, 'd')
        session.make_directory('d/e')
        self.assertEqual((True, True, False, False), tuple(
            session.exists(name) for name in ('d', 'd/e', 'd/f', 'e')))
        self.assertEqual(['e'], session.names('d'))
        self.assertIsNone(session.stat('d'))
        session.remove_directory('d/e')
        self.assertEqual([], session.names('d'))
        session.remove_directory('d')
        self.assertRaises(PermanentError, session.remove_directory, 'd')
        session.write('f', b'')
        self.assertTrue(session.exists('f'))

    def test_all_ways_to_stat_tell_the_same(self):
        session = self.session
        session.write('a', b'abc')
        with pipelined(session).batch() as batch:
            pendings = [batch.stat('a'), batch.stat('a', regular=True), batch.stat('a', time=False)]
        full, regular, short = [pending.get() for pending in pendings]
        self.assertEqual(('a', 3, 'file'), (full.name, full.size, full.kind))
        self.assertLess(abs(full.modified - session.clock()), DAY)
        self.assertEqual((full, full._replace(modified=None)), (regular, short))
        self.assertEqual(full, session.stat('a'))
        with pipelined(session).batch() as batch:
            pendings = [batch.stat('b'), batch.stat('b', regular=True), batch.stat('b', time=False)]
        self.assertEqual([None] * 3, [pending.get() for pending in pendings])

    def test_stored_name(self):
        self.session.write('a', b'')
        self.assertIn(self.session.stored_name('a'), ('a', None))

    def test_names_that_can_not_be_sent(self):
        session, bad = self.session, 'a\nDELE b'
        session.write('b', b'')
        for verb in session.stat, session.remove, session.make_directory, session.exists, \
                lambda name: session.rename('b', name), lambda name: session.rename(name, 'c'), \
                lambda name: read(session, name), lambda name: session.write(name, b''):
            self.assertRaises(ValueError, verb, bad)
        with pipelined(session).batch() as batch:
            pendings = [batch.stat(bad), batch.remove(bad), batch.rename('b', bad),
                        batch.rename(bad, 'c'), batch.stat('b', time=False)]
        for pending in pendings[:-1]:
            self.assertRaises(ValueError, pending.get)
        self.assertEqual(Entry('b', 0, None, 'file'), pendings[-1].get())
        self.assertTrue(session.alive)

    def test_order_of_a_batch(self):
        shared = pipelined(self.session)
        with shared.batch(later=True) as batch:
            made = batch.make_directory('d')
        removed = []
        shared.write('f', b'x', also=lambda batch: removed.append(batch.remove_directory('d')))
        for pending in made, *removed:
            pending.get()
        self.assertEqual(['f'], [entry.name for entry in shared.entries()])

    def test_listing_shares_its_end(self):
        self.session.write('a', b'x')
        pendings, heard = [], []

        def also(batch):
            pendings.append(batch.stat('a'))
            return Entry('a')

        shared = pipelined(self.session)
        self.assertEqual(['a'], [e.name for e in shared.entries(heard.append, also)])
        self.assertEqual(1, pendings[0].get().size)
        self.assertEqual(1, max(heard))
        self.assertTrue(self.session.data.is_ahead)
        self.assertEqual(b'x', read(self.session, 'a'))

    def test_several_of_a_run(self):
        first = self.session
        second = self.open(self.server, like=first)
        self.assertIs(first.findings, second.findings)
        second.write('a', b'x')
        first.close()
        self.assertEqual(1, self.open(self.server, like=first).stat('a').size)

    def test_the_end(self):
        session = self.session
        session.close()
        session.close()
        session.abort()
        self.assertFalse(session.alive)
        for verb in session.stat, session.remove, lambda name: session.write(name, b''), \
                lambda name: read(session, name):
            with self.assertRaisesRegex(ConnectionLost, 'The session has ended'):
                verb('a')
        pending = pipelined(session).batch(later=True).stat('a')
        self.assertRaises(ConnectionLost, pending.get)

    def test_active(self):
        session = self.open(self.server, active=True)
        session.write('a', b'abc')
        self.assertEqual(b'abc', read(session, 'a'))


class Lacking(FaultySessions):
    """A server that knows little."""

    files = {'a': b'abc'}

    def begin(self, *script, **kw):
        self.serve(*script, files=self.files, directories=['d'], **kw)
        return self.open(self.server)

    def check_stat(self, session, a):
        for _ in range(2):      # when it is known what is lacking, too
            self.assertEqual(a, session.stat('a'))
            self.assertIsNone(session.stat('b'))
            with pipelined(session).batch() as batch:
                pendings = [batch.stat(name, regular, time) for name in 'ab'
                            for regular in (False, True) for time in (False, True)]
            found = [pending.get() for pending in pendings]
            self.assertEqual([None] * 4, found[4:])
            self.assertEqual({'a'}, {entry.name for entry in found[:4]})

    def test_mlst(self):
        session = self.begin(without=['MLST', 'MLSD'])
        self.check_stat(session, session.stat('a'))
        self.assertEqual((3, 'file'), session.stat('a')[1:4:2])
        self.assertIsNotNone(session.stat('a').modified)
        self.assertIsNone(session.stored_name('a'))

    def test_mlst_that_is_announced_by_a_server_that_is_known(self):
        session = self.begin(On('MLST').reply('500 No.'), character='proftpd')
        for regular in True, False:
            with self.subTest(regular=regular):
                session.findings.lacks.discard('MLST')
                with pipelined(session).batch() as batch:
                    pending = batch.stat('a', regular=regular)
                self.assertEqual((3, 'file'), pending.get()[1:4:2])

    def test_size(self):
        session = self.begin(without=['SIZE'])
        self.check_stat(session, session.stat('a'))
        self.assertEqual((3, 'file'), session.stat('a')[1:4:2])
        self.assertEqual(1, len(self.server.commands('SIZE')))

    def test_both(self):
        session = self.begin(without=['MLST', 'MLSD', 'SIZE'])
        self.check_stat(session, Entry('a'))

    def test_rnfr_as_well(self):
        session = self.begin(without=['MLST', 'MLSD', 'SIZE', 'RNFR'])
        self.check_stat(session, Entry('a'))
        self.assertEqual((True, True, False), tuple(map(session.exists, ('a', 'd', 'b'))))

    def test_rnfr_that_is_refused_proves_nothing(self):
        session = self.begin(On('RNFR').reply('550 No.'), without=['MLST', 'MLSD', 'SIZE'])
        self.check_stat(session, Entry('a'))

    def test_mlst_although_it_is_announced(self):
        session = self.begin(On('MLST').refuse())
        self.check_stat(session, session.stat('a'))
        self.assertEqual((3, 'file'), session.stat('a')[1:4:2])
        self.assertTrue(session.exists('d'))

    def test_mlsd_although_it_is_announced(self):
        session = self.begin(On('MLSD').refuse())
        self.assertEqual([Entry('a'), Entry('d')], sorted(session.entries()))

    def test_mlsd_that_fails_at_its_end(self):
        session, asked = self.begin(On('MLSD').reply('550 No.', done=True)), []
        entries = pipelined(session).entries(also=asked.append)
        self.assertEqual([Entry('a'), Entry('d')], sorted(entries))
        self.assertEqual(1, len(asked))

    def test_both_listings(self):
        session, asked = self.begin(On('MLSD NLST').reply('451 No.')), []
        self.assertRaises(TemporaryError, pipelined(session).entries, also=asked.append)
        self.assertEqual([], asked)
        self.assertEqual(3, session.stat('a').size)

    def test_empty_directory_that_is_not_found(self):
        session, asked = self.begin(On('NLST').reply('550 No files.'), without=['MLST', 'MLSD']), []
        self.assertEqual([], pipelined(session).entries(also=asked.append))
        self.assertEqual(1, len(asked))

    def test_verb(self):
        session = self.begin(without=['MKD'])
        for code in '500', '502', '503', '504':
            self.server.script = [On('MKD').reply(code + ' No.')]
            self.assertRaises(NotSupported, session.make_directory, 'x')
        self.server.script = [On('MKD').reply('550 No.')]
        with self.assertRaises(PermanentError) as caught:
            session.make_directory('x')
        self.assertNotIsInstance(caught.exception, NotSupported)

    def test_clock(self):
        self.assertIsNotNone(self.begin().clock())
        self.assertIsNone(self.begin(On('STOR').reply('550 No.')).clock())
        self.assertIsNone(self.begin(without=['MDTM', 'MLST']).clock())



class InTime(FaultySessions):
    """One deadline for all that a run does."""

    files = {'a': b'abc' * 1000}

    def begin(self, *script, seconds=0.3, active=False, **kw):
        self.serve(*script, files=self.files, **kw)
        self.deadline = Deadline(60)
        self.session = self.open(self.server, self.deadline, active=active)
        self.deadline._end = Deadline(seconds)._end

    def check_end(self, verb, *args):
        with self.assertRaises(RunLimitReached):
            verb(*args)
        self.assertFalse(self.session.alive)
        self.assertRaises(RunLimitReached, self.open, self.server, self.deadline)
        self.deadline.extend(20)
        self.server.behave()
        self.open(self.server, self.deadline).remove('a')
        self.open(self.server, self.deadline, like=self.session)

    def test_reply(self):
        self.begin(On('SIZE').stall())
        self.check_end(self.session.stat, 'a')

    def test_reply_that_comes_byte_by_byte(self):
        self.begin(On('SIZE').drip_reply(0.1))
        self.check_end(self.session.stat, 'a')

    def test_data(self):
        self.begin(On('RETR').stall(after_bytes=1000))
        self.check_end(read, self.session, 'a')

    def test_data_byte_by_byte(self):
        self.begin(On('RETR').drip(0.05))
        self.check_end(read, self.session, 'a')

    def test_pipelined(self):
        self.begin(On('RETR').drip(0.05), character='pure-ftpd')
        self.check_end(lambda: pipelined(self.session).read(
            Entry('a', 3000), Memory(), also=lambda batch: None))

    def test_endless_data(self):
        class Sink(Memory):
            def advance(self, count):
                pass

        self.begin(On('RETR').serve(lambda: iter(lambda: b'x' * 65536, None)))
        self.check_end(self.session.read, 'a', Sink())

    def test_upload(self):
        self.begin(On('STOR').stall())
        self.check_end(self.session.write, 'b', b'x')

    def test_connection_that_does_not_arrive(self):
        self.begin(On('RETR').reply('150 It will come.'), active=True)
        self.check_end(read, self.session, 'a')

    def test_login(self):
        self.serve(On('PASS').stall())
        self.assertRaises(RunLimitReached, self.open, self.server, Deadline(0.3))

    def test_live_session_that_owes_nothing(self):
        self.begin(seconds=-1)
        self.assertRaises(RunLimitReached, self.session.stat, 'a')
        self.assertTrue(self.session.alive)
        self.deadline.extend(20)
        self.assertEqual(3000, self.session.stat('a').size)


def test_suite():
    load = unittest.defaultTestLoader.loadTestsFromTestCase
    return unittest.TestSuite([on_servers(Verbs), load(Lacking), load(InTime)])
