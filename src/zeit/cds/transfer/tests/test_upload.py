"""What an upload needs, and for how long."""
import os
import threading

from zeit.cds.transfer.tests.plain import Exchanges, Fault


class Descriptors(Exchanges):
    """An export may have ten thousand files underway: each is closed as soon as it is there."""

    def held(self):
        """How many files of the spool are open here."""
        paths = []
        for fd in os.listdir('/proc/self/fd'):
            try:
                paths.append(os.readlink('/proc/self/fd/' + fd))
            except FileNotFoundError:
                pass    # that of the listing itself
        return sum(os.path.isfile(path) and path.startswith(self.store_dir + '/new/')
                   for path in paths)

    def check(self, *faults, **settings):
        held = []
        for n in range(5):
            self.offer('%02d' % n)
        server = self.serve(
            Fault('write', lambda *args: held.append(self.held()), skip=1, after=True), *faults)
        self.assertTrue(self.run_it(self.export(server, **settings)).successful, self.log.text)
        self.assertEqual(5, len(server.files))
        self.assertEqual([1] * 5, held[-5:])
        self.assertEqual(0, self.held())

    def test_it_is_closed_when_it_is_there(self):
        self.check()


class Appearing(Exchanges):

    def test_what_the_server_shows_a_moment_later_is_not_sent_again(self):
        self.offer('a')

        def hide(session, name, *args):
            if name != 'write':
                path, hidden = session.path(name), os.path.join(self.store_dir, 'hidden')
                os.rename(path, hidden)
                timer = threading.Timer(0.2, os.rename, (hidden, path))
                timer.start()
                self.addCleanup(timer.join)

        server = self.serve(Fault('write', hide, after=True))
        outcome = self.run_it(self.export(server))
        self.assertTrue(outcome.successful, self.log.text)
        self.assertEqual({'a': b'data'}, server.files)
        self.assertEqual(1, sum(name != 'write' for name in server.called('write')))

    def test_what_is_gone_once_it_was_renamed_waits(self):
        self.offer('a name')

        def lose(session, source, target):
            if target == 'a name':
                os.unlink(session.path(target))

        outcome = self.run_it(self.export(self.serve(Fault('rename', lose, after=True))))
        (name, reason), = outcome.failed
        self.assertEqual('a name', name)
        self.assertIn('does not find it under its name', reason)
        self.assertEqual({'a name': b'data'}, self.spool('new'))
