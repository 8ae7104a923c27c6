"""What an import does with files that an earlier one left in tmp, and in which order."""
import os

from zeit.cds.interfaces import PermanentError
from zeit.cds.lock.lockfile import LockFile
from zeit.cds.spool.inbox import FileSink, Spool
from zeit.cds.transfer.importing import Import
from zeit.cds.transfer.tests.plain import Exchanges, Fault, QUICK, QUICK_LOCK, WHEN


class ToldOf(Spool):
    """It tells of what becomes durable, and of what is published."""

    def __init__(self, path, calls):
        super().__init__(path)
        self.calls = calls

    def secure(self, name):
        super().secure(name)
        self.calls.append(('secure', (name,)))

    def publish(self, name):
        self.calls.append(('publish', (name,)))
        return super().publish(name)


class Sink(FileSink):

    def __init__(self, calls):
        self.calls = calls

    def open(self, feed):
        return ToldOf(feed.store_dir, self.calls)


class Leftovers(Exchanges):

    def leave(self, data=b'ours', modified=WHEN):
        path = os.path.join(self.store_dir, 'tmp', 'left')
        os.makedirs(os.path.dirname(path))
        with open(path, 'wb') as f:
            f.write(data)
        os.utime(path, (modified, modified))

    def check(self, *expected, there=b'ours', **kw):
        """It is published, and this was done with it."""
        server = self.serve(files={'left': there}, **kw)
        outcome = self.run_it(Import(self.feed(), server, LockFile(QUICK_LOCK),
                                     Sink(server.calls), QUICK))
        self.assertTrue(outcome.successful, self.log.text)
        self.assertEqual({'left': b'ours'}, self.spool('new'))
        self.assertEqual(list(expected), [
            verb for verb, args in server.calls
            if args[:1] == ('left',) and verb in ('read', 'secure', 'remove', 'publish')])
        return server

    def test_it_is_durable_before_the_servers_copy_goes(self):
        """Else a power failure could take both."""
        self.leave()
        self.assertEqual({}, self.check('secure', 'remove', 'publish').files)

    def test_also_if_only_its_content_tells_that_it_is_the_same(self):
        self.leave(modified=WHEN + 1)
        self.assertEqual({}, self.check('read', 'secure', 'remove', 'publish').files)

    def test_nothing_is_fetched_to_compare_it_with_a_file_of_another_size(self):
        for there in b'larger', b'':
            with self.subTest(there=there):
                self.setUp()
                self.leave()
                self.assertEqual({'left': there}, self.check('publish', there=there).files)

    def test_another_file_of_its_size_stays_on_the_server(self):
        self.leave(modified=WHEN + 1)
        self.assertEqual({'left': b'else'}, self.check('read', 'publish', there=b'else').files)

    def test_it_is_told_that_there_is_nothing_if_there_is_neither_a_file_nor_a_leftover(self):
        for files, left, told in (((), False, True), ({'a': b'a'}, False, False),
                                  ((), True, False), ({'a': b'a'}, True, False)):
            with self.subTest(files=files, left=left):
                self.setUp()
                if left:
                    self.leave()
                self.run_it(self.import_(self.serve(files=files)))
                self.assertEqual(told, 'No new files to import.' in self.log.text)

    def test_one_that_could_not_be_compared_is_kept_and_closed(self):
        self.leave(modified=WHEN + 1)
        server = self.serve(Fault('read', PermanentError('550 No.'), name='left'),
                            files={'left': b'ours'})
        outcome = self.run_it(self.import_(server))
        self.assertEqual(['left'], [name for name, _ in outcome.failed])
        self.assertEqual({'left': b'ours'}, self.spool('tmp'))
        self.assertEqual([], [fd for fd in os.listdir('/proc/self/fd')
                              if points_into(self.store_dir, fd)])


def points_into(directory, fd):
    try:
        return os.readlink('/proc/self/fd/' + fd).startswith(directory)
    except FileNotFoundError:       # that of the listing itself
        return False
