"""The watch on each of the servers: sessions last, and what others do there is seen."""
import os

from zeit.cds.testing.layers import ALL_LAYERS, on_servers
from zeit.cds.tests.importing import put
from zeit.cds.watch.tests.watches import Watches


class OnServers(Watches):

    def feed(self, **settings):
        return super().feed(**{'every': 0.2, **settings})

    def test_imports(self):
        watch = self.watch(self.feed(connections=1))
        [watched] = watch.feeds
        for n in range(3):
            for number in range(20):
                self.put('%d-%d.xml' % (n, number), b'data')
            self.wait_until(lambda n=n: watched.files == 20 * (n + 1))
            self.assertEqual(20, len(self.consume()))
            self.wait_for_looks(watched, 2)
        logins = sum(text == '> PASS ***' or text.startswith('SFTP version')
                     for _, text in self.log.lines)
        self.assertEqual(1, logins)
        self.end(watch)
        self.assertEqual([], self.log.complaints)
        self.assert_nothing_left()

    def test_exports(self):
        watch = self.watch(self.feed(direction='export', every=1000.0))
        [watched] = watch.feeds
        self.wait_until(lambda: watched.state == 'waiting')
        for n in range(2):
            for number in range(5):
                put(os.path.join(self.store_dir, 'new'), '%d-%d.xml' % (n, number), b'data')
            self.wait_until(lambda n=n: watched.files == 5 * (n + 1))
        self.assertEqual(10, len(self.there))
        self.assertEqual([], self.log.complaints)

    def test_a_lock_of_others_is_awaited(self):
        watch = self.watch(self.feed(), patient=1000.0)
        [watched] = watch.feeds
        self.wait_until(lambda: watched.state == 'waiting')
        lock = self.put('write', b'somebody')
        self.wait_until(lambda: watched.state == 'locked')
        self.put('a.xml', b'data')
        self.wait_for_looks(watched, 3)
        self.assertEqual({}, self.published)
        os.unlink(lock)
        self.wait_for('a.xml')


def test_suite():
    return on_servers(OnServers, ALL_LAYERS)
