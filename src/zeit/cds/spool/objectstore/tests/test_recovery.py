"""What killed runs left: each row of the tables in `zeit.cds.spool.objectstore`."""
import tempfile
import unittest
import unittest.mock

from zeit.cds.interfaces import ConfigurationError, FileRefused, SpoolError
from zeit.cds.spool.objectstore import incoming, recovery, uploads
from zeit.cds.spool.objectstore.tests.cases import InStore
from zeit.cds.spool.objectstore.utilities import ObjectSink
from zeit.cds.testing.contracts.sink import fill
from zeit.cds.testing.layers import on_servers, SEAWEEDFS_LAYER, STORE_LAYERS


PART = 5 * 2**20        # bytes; S3 takes no smaller parts


class InSpool(InStore):

    def open(self, **settings):
        spool = ObjectSink().open(self.the_feed(**settings))
        self.addCleanup(spool.close)
        return spool

    def commit(self, spool, name, data=b'data'):
        incoming = spool.create(name)
        fill(incoming, data)
        incoming.complete(None)
        spool.commit([incoming])

    def killed(self, name='a', data=b'data', **settings):
        """A run is killed that has a file in tmp."""
        with self.open(**settings) as spool:
            self.commit(spool, name, data)

    def claimed(self, **settings):
        """What the next one is to finish: names."""
        with self.open(**settings) as spool:
            return [entry.name for entry in spool.claim(spool.leftovers())]


class States(InSpool):

    def test_not_published(self):
        self.killed()
        self.assertEqual(['a'], self.claimed())
        self.assertEqual(['tmp/a'], self.keys())

    def test_published(self):
        self.killed()
        self.objects.copy('tmp/a', 'new/a', None)
        self.assertEqual([], self.claimed())
        self.assertEqual(['new/a'], self.keys())

    def test_published_and_taken(self):
        for number, name in enumerate(['a', 'a.2', 'a.3']):
            self.killed()
            self.objects.copy('tmp/a', 'new/a', None)
            self.objects.copy('new/a', 'cur/' + name, None)
            self.remove('new/a')
            self.assertEqual([], self.claimed())
            self.assertEqual(['cur/a', 'cur/a.2', 'cur/a.3'][:number + 1], self.keys())

    def test_a_newer_one_of_the_name_was_published_since(self):
        self.killed()
        self.objects.copy('tmp/a', 'cur/a', None)
        self.make('new/a')
        self.assertEqual([], self.claimed())
        self.assertEqual(['cur/a', 'new/a'], self.keys())

    def test_an_older_one_is_unread(self):
        self.killed()
        self.make('new/a')
        self.make('cur/a')
        self.assertEqual(['a'], self.claimed())
        with self.open() as spool, self.assertRaises(FileExistsError):
            spool.publish('a')
        self.assertEqual(['cur/a', 'new/a', 'tmp/a'], self.keys())

    def test_a_file_with_data_of_its_own(self):
        data = b'x' * (incoming.SMALL + 1)
        self.killed(data=data)
        self.assertEqual(2, len(self.keys('tmp')))
        with self.open() as spool:
            [entry] = spool.claim(spool.leftovers())
            self.assertEqual(len(data), entry.size)
            spool.publish('a')
        self.assertEqual({'a': data}, self.contents('new'))
        self.assertEqual([], self.keys('tmp'))

    def test_its_data_go_with_it(self):
        self.killed(data=b'x' * (incoming.SMALL + 1))
        data, = self.keys('tmp/.parts')
        self.objects.copy(data, 'new/a', None)
        self.assertEqual([], self.claimed())
        self.assertEqual(['new/a'], self.keys())

    def test_of_another_feed(self):
        self.killed(ftp_dir='/elsewhere')
        self.assertEqual([], self.claimed())
        with self.open() as spool:
            self.assertTrue(spool.unread('a'))
        with unittest.mock.patch.object(recovery, 'OLD', -10**9):
            self.assertEqual(['a'], self.claimed())


class Parts(InSpool):

    def setUp(self):
        super().setUp()
        self.enterContext(unittest.mock.patch.object(incoming, 'PART', PART))

    def part(self, **settings):
        """What a killed run had begun to receive: a key."""
        key = recovery.Place(self.the_feed(**settings), 'run').run + 'part'
        self.make(key)
        return key

    def test_they_are_removed(self):
        self.part()
        self.assertEqual([], self.claimed())
        self.assertEqual([], self.keys())

    def test_before_the_lock_on_the_server_they_may_be_in_use(self):
        key = self.part()
        with self.open() as spool:
            self.assertEqual([], spool.leftovers())
        self.assertEqual([key], self.keys())

    def test_those_of_other_feeds_may_be_in_use(self):
        key = self.part(ftp_dir='/elsewhere')
        self.claimed()
        self.assertEqual([key], self.keys())
        with unittest.mock.patch.object(recovery, 'OLD', -10**9):
            self.claimed()
        self.assertEqual([], self.keys())

    def test_what_is_discarded_leaves_nothing(self):
        for size in 10, incoming.SMALL + 1, PART + 1, 3 * PART:
            for complete in False, True:
                with self.subTest(size=size, complete=complete), self.open() as spool:
                    begun = spool.create('a')
                    fill(begun, b'x' * size)
                    if complete:
                        begun.complete(None)
                    begun.discard()
                self.assertEqual([], self.keys())

    def test_restart_after_some_parts(self):
        with self.open() as spool:
            begun = spool.create('a')
            fill(begun, b'x' * (PART + 1))
            begun.restart()
            fill(begun, b'y' * (PART + 1))
            begun.complete(None)
            spool.commit([begun])
            spool.publish('a')
        self.assertTrue({'a': b'y' * (PART + 1)} == self.contents('new'))
        self.assertEqual([], self.keys('tmp'))


class Uploads(InSpool):
    """S3 only: a listing does not show them."""

    def uploads(self):
        return [upload['Key'].partition('/')[2] for upload in self.client.list_multipart_uploads(
            Bucket=self.objects.location.bucket,
            Prefix=self.objects.location.prefix).get('Uploads', ())]

    def setUp(self):
        super().setUp()
        self.client = uploads._client(self.objects)

    def begun(self, run, **settings):
        place = recovery.Place(self.the_feed(**settings), run)
        self.make(place.uploads)
        self.client.create_multipart_upload(
            Bucket=self.objects.location.bucket,
            Key='%s/%spart' % (self.objects.location.prefix, place.run))
        return place.run + 'part'

    def test_they_are_aborted(self):
        self.begun('one')
        self.begun('two')
        other = self.begun('three', ftp_dir='/elsewhere')
        self.claimed()
        self.assertEqual([other], self.uploads())
        self.assertEqual(1, len(self.keys('tmp')))

    def test_it_can_not_be_helped(self):
        self.begun('one')
        with unittest.mock.patch.object(uploads, '_client', side_effect=ImportError('no botocore')):
            with self.assertLogs('zeit.cds', 'WARNING') as logs:
                self.claimed()
        self.assertIn('no botocore. Give the bucket a rule AbortInc', logs.output[0])

    def test_a_run_says_so_before_it_begins_with_one(self):
        self.enterContext(unittest.mock.patch.object(incoming, 'PART', PART))
        spool = self.open()
        begun = spool.create('a')
        fill(begun, b'x' * (PART + 1))
        self.assertEqual([recovery.UPLOADS], [
            key.rpartition('/')[2] for key in self.keys('tmp')])
        begun.discard()
        spool.close()
        self.assertEqual([], self.keys('tmp'))
        self.assertEqual([], self.uploads())


class Hosts(InSpool):
    """Two hosts use one spool."""

    def other(self):
        """A Spool of another host."""
        with tempfile.TemporaryDirectory() as directory, unittest.mock.patch.object(
                tempfile, 'tempdir', directory):
            return self.open()

    def test_one_looks_while_the_other_works(self):
        one = self.open()
        self.commit(one, 'a')
        begun = one.create('b')
        fill(begun, b'x' * (incoming.SMALL + 1))
        begun.complete(None)
        other = self.other()
        self.assertEqual(['a'], [entry.name for entry in other.leftovers()])
        other.close()
        one.commit([begun])
        one.batch(['a', 'b'])
        self.assertEqual(['new/a', 'new/b'], self.keys())

    def test_what_one_has_finished_meanwhile(self):
        one = self.open()
        self.commit(one, 'a')
        other = self.other()
        leftovers = other.leftovers()
        one.publish('a')
        self.remove('new/a')
        self.assertEqual([], other.claim(leftovers))
        self.assertFalse(other.unread('a'))

    def test_nobody_publishes_what_the_other_has_published(self):
        self.killed()
        one, other = self.open(), self.other()
        one.leftovers(), other.leftovers()
        one.publish('a')
        self.remove('new/a')
        with self.assertRaises(SpoolError):
            other.publish('a')
        self.assertEqual([], self.keys())


class Refusals(InSpool):

    def test_names(self):
        spool = self.open()
        for name in ('tab\t', 'a\\b', '\x7f', '\x85', '\udcff', 'x' * 256, '\ufffe'):
            self.assertIsInstance(spool.impossible(name), str, repr(name))
            with self.assertRaises(FileRefused):
                spool.create(name)

    def test_keys_have_an_end(self):
        spool = ObjectSink().look(self.the_feed(store_dir='%s/%s' % (self.url, 'x' * 800)))
        self.addCleanup(spool.close)
        self.assertIsNone(spool.impossible('x' * 100))
        self.assertIn("with the spool's prefix", spool.impossible('x' * 200))


class Doubts(InSpool):
    """The store has done something, and could not say so."""

    def committed(self, spool, names, fails, size=incoming.SMALL + 1):
        """Commit files; one's record is written, but the store's answer gets lost."""
        put, incomings = spool.objects.put, []
        for name in names:
            incomings.append(spool.create(name))
            fill(incomings[-1], b'x' * size)
            incomings[-1].complete(None)

        def unheard(key, *args):
            put(key, *args)
            if key == 'tmp/' + fails:
                raise SpoolError('The answer got lost.')

        spool.objects.put = unheard
        try:
            with self.assertRaisesRegex(SpoolError, 'got lost'):
                spool.commit(incomings)
        finally:
            spool.objects.put = put
            for each in incomings:
                each.discard()

    def test_what_is_committed_keeps_its_data(self):
        """A record without data would be believed by the next run."""
        for fails in 'abc':
            self.url = self.server.url()
            with self.subTest(fails=fails), self.open() as spool:
                self.committed(spool, 'abc', fails)
                spool.close()
                with self.open() as spool:
                    for entry in spool.claim(spool.leftovers()):
                        spool.secure(entry.name)
                        spool.publish(entry.name)
                self.assertEqual([incoming.SMALL + 1] * 3, self.sizes())

    def sizes(self):
        with self.open() as spool:
            return [size for _, size, *_ in spool.objects.list('new')]

    def test_a_record_without_data_is_not_believed(self):
        self.killed(data=b'x' * (incoming.SMALL + 1))
        self.objects.delete(self.keys('tmp/.parts'))
        with self.open() as spool:
            self.assertEqual(['a'], [entry.name for entry in spool.claim(spool.leftovers())])
            with self.assertRaisesRegex(SpoolError, "data of a in 'tmp' are gone"):
                spool.secure('a')

    def test_a_put_that_was_done_and_is_tried_again(self):
        self.objects.put('tmp/a', b'1', {'cdsid': 'one'})
        self.objects.put('tmp/a', b'1', {'cdsid': 'one'})
        with self.assertRaises(FileExistsError):
            self.objects.put('tmp/a', b'1', {'cdsid': 'other'})

    def test_a_copy_that_was_done_and_is_tried_again(self):
        self.objects.put('tmp/a', b'1', {'cdsid': 'one'})
        self.objects.copy('tmp/a', 'new/a', 'one')
        self.objects.copy('tmp/a', 'new/a', 'one')
        with self.assertRaises(FileExistsError):
            self.objects.copy('tmp/a', 'new/a', 'other')


class S3(InSpool):

    def test_an_upload_that_fails_is_told(self):
        spool = self.open()
        with unittest.mock.patch.object(incoming, 'PART', 2**20):   # S3 wants 5 MiB
            begun = spool.create('a')
            fill(begun, b'x' * (3 * 2**20))
            begun.complete(None)
            with self.assertRaises(SpoolError):
                spool.commit([begun])
            begun.discard()

    def test_what_is_too_large_is_refused(self):
        spool = self.open()
        with self.assertRaisesRegex(FileRefused, '5 GiB'):
            spool.create('a', 5 * 2**30 + 1)
        begun = spool.create('a', 5 * 2**30)
        begun.discard()

    def test_a_store_that_does_not_honour_conditions_is_refused(self):
        for variable, value, what in [
                ('AWS_COPY_IF_NOT_EXISTS', 'header:x-ignored:*', r'\(COPY\)'),
                ('AWS_COPY_IF_NOT_EXISTS', 'multipart', r'\(metadata that a COPY keeps\)')]:
            self.url = self.server.url()
            with self.subTest(value=value), unittest.mock.patch.dict('os.environ', {
                    variable: value}), self.assertRaisesRegex(
                    ConfigurationError, 'does not honour conditional writes ' + what):
                self.open()

    def test_wrong_credentials(self):
        with self.assertRaises(SpoolError) as caught:
            self.open(**{'sink.secret': 'wrong'})
        self.assertIn("the feed's sink.account and sink.secret", caught.exception.__notes__[0])
        self.assertNotIn('wrong', str(caught.exception))


def test_suite():
    suite = unittest.TestSuite()
    for mixin in States, Hosts, Refusals, Doubts:
        suite.addTest(on_servers(mixin, STORE_LAYERS))
    suite.addTest(on_servers(S3, [SEAWEEDFS_LAYER]))
    suite.addTest(on_servers(Parts, STORE_LAYERS, level=2))     # many bytes
    suite.addTest(on_servers(Uploads, [SEAWEEDFS_LAYER], level=2))
    return suite
