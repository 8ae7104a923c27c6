"""Whole runs between an FTP server and an object store."""
import os
import subprocess
import sys
import unittest.mock

import zope.component.testing
from zope.configuration import xmlconfig

from zeit.cds.main import import_feed, preview, run_export, run_import
from zeit.cds.spool.objectstore import inbox, incoming, outbox
from zeit.cds.spool.objectstore.tests.cases import InStore
from zeit.cds.testing.layers import on_servers, SEAWEEDFS_LAYER
from zeit.cds.testing.logs import recorded
from zeit.cds.testing.servers import PyFTPD
from zeit.cds.tests.importing import contents, put


COMMAND = 'import sys; from zeit.cds.cli import exchange; sys.exit(exchange.%s())'
ZCML = '''
<configure xmlns="http://namespaces.zope.org/zope" xmlns:cds="http://namespaces.zeit.de/cds">
  <include package="zeit.cds" file="meta.zcml" />
  <include package="zeit.cds" />
  <cds:feed name="dpa" store_dir="%s" hostname="127.0.0.1" port="%d" user="%s" password="%s"
            ftp_dir="/">
    <cds:sink endpoint="%s" account="%s" secret="%s" region="us-east-1" requests="4" />
  </cds:feed>
</configure>
'''


class Runs(InStore):

    def setUp(self):
        super().setUp()
        self.ftp = PyFTPD()
        self.addCleanup(self.ftp.stop)
        self.ftp.start()

    def the_feed(self, **settings):
        return super().the_feed(**{**(self.ftp.feed if hasattr(self, 'ftp') else {}), **settings})

    def put(self, name, data=b'data'):
        put(self.ftp.directory, name, data)

    @property
    def there(self):
        return contents(self.ftp.directory)

    def exchange(self, function=run_import, **settings):
        with recorded() as self.log:
            return function(self.the_feed(**settings))

    # ------------------------------------------------------------ imports

    def test_files_of_all_sizes(self):
        files = {'file-%02d' % n: b'%d' % n * 1000 for n in range(60)}
        files.update(empty=b'', medium=b'm' * (incoming.SMALL + 1),
                     large=b'l' * (3 * incoming.PART // 2))
        for name, data in files.items():
            self.put(name, data)
        outcome = self.exchange()
        self.assertTrue(outcome.successful, outcome)
        self.assertTrue(files == self.contents('new'))
        self.assertEqual(({}, []), (self.there, self.keys('tmp')))
        published = [line.rpartition(' ')[2] for line in self.log.of('INFO')
                     if "Moved from 'tmp' to 'new'" in line]
        self.assertEqual(sorted(files), published)

    def test_an_unread_file_stays_and_the_others_come(self):
        self.make('new/b', b'older')
        for name in 'abc':
            self.put(name)
        outcome = self.exchange()
        self.assertEqual([('b', mock_any)], outcome.skipped)
        self.assertEqual({'a': b'data', 'b': b'older', 'c': b'data'}, self.contents('new'))
        self.assertEqual({b'b': b'data'}, self.there)

    def test_one_gets_its_name_in_new_while_another_comes(self):
        """Others are published; it waits in tmp."""
        batch = inbox.Spool.batch

        def late(spool, names):
            if 'b' in names:
                self.make('new/b', b'older')
            return batch(spool, names)

        for name in 'abc':
            self.put(name)
        with unittest.mock.patch.object(inbox.Spool, 'batch', late):
            outcome = self.exchange()
        self.assertEqual((2, ['b']), (outcome.files, [name for name, _ in outcome.skipped]))
        self.assertEqual(['tmp/b'], self.keys('tmp'))
        self.remove('new/b')
        self.assertTrue(self.exchange().successful)
        self.assertEqual({'a', 'b', 'c'}, set(self.contents('new')))

    def test_a_store_that_fails_while_files_are_published(self):
        """What is finished is finished; the next run does the rest."""
        copied = inbox.Spool._copied

        def failing(spool, name):
            if name == 'b':
                return spool.objects.error(OSError('away'), 'COPY')
            return copied(spool, name)

        for name in 'abc':
            self.put(name)
        with unittest.mock.patch.object(inbox.Spool, '_copied', failing):
            outcome = self.exchange()
        self.assertIn('COPY: away', str(outcome.error))
        self.assertTrue(self.exchange().successful)
        self.assertEqual({name: b'data' for name in 'abc'}, self.contents('new'))
        self.assertEqual([], self.keys('tmp'))

    def test_what_a_killed_run_left_is_finished(self):
        for name in 'ab':
            self.put(name)
        with unittest.mock.patch.object(inbox.Spool, 'batch', side_effect=RuntimeError('killed')):
            self.exchange()
        self.assertEqual(['tmp/a', 'tmp/b'], self.keys())
        self.objects.copy('tmp/a', 'cur/a', None)
        outcome = self.exchange()
        self.assertTrue(outcome.successful)
        self.assertEqual(['cur/a', 'new/b'], self.keys())
        self.assertEqual(['An earlier import was interrupted; finishing: b'], self.log.warnings)

    def test_a_dry_run(self):
        for name in 'ab':
            self.put(name)
        self.make('new/b')
        outcome = self.exchange(preview)
        self.assertEqual(['a'], [entry.name for entry in outcome.entries])
        self.assertEqual(['new/b'], self.keys())

    # ------------------------------------------------------------ exports

    def test_exports(self):
        files = {'file-%03d' % n: b'%d' % n * 100 for n in range(outbox.AHEAD + 10)}
        files['large'] = os.urandom(3 * 2**20)
        for name, data in files.items():
            self.make('new/' + name, data)
        outcome = self.exchange(run_export, direction='export')
        self.assertTrue(outcome.successful, outcome)
        self.assertTrue({name.encode(): data for name, data in files.items()} == self.there)
        self.assertTrue(files == self.contents('cur'))
        self.assertEqual([], self.keys('new') + self.keys('tmp'))

    def test_a_killed_export_is_finished(self):
        for name in 'ab':
            self.make('new/' + name)
        with unittest.mock.patch.object(outbox.Outbox, 'batch', side_effect=RuntimeError('killed')):
            self.exchange(run_export, direction='export')
        self.assertIn(b'a', self.there)
        os.unlink(os.path.join(self.ftp.directory, 'a'))        # the consumer was quick
        self.assertTrue(self.exchange(run_export, direction='export').successful)
        self.assertEqual(['cur/a', 'cur/b'], self.keys())
        self.assertEqual({b'b'}, set(self.there))

    # ------------------------------------------------------------ how it is asked for

    def test_the_command(self):
        self.put('a')
        environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path),
                       'CDS_PASSWORD': self.ftp.password, 'AWS_REGION': 'us-east-1',
                       'AWS_ACCESS_KEY_ID': self.server.account,
                       'AWS_SECRET_ACCESS_KEY': self.server.secret}
        for verb in 'import_', 'export':
            done = subprocess.run(
                [sys.executable, '-c', COMMAND % verb, self.url, 'ftp://%s@127.0.0.1:%d/' % (
                    self.ftp.user, self.ftp.port), '--set', 'sink.endpoint=%s' %
                 self.server.endpoint], env=environment, capture_output=True, text=True)
            self.assertEqual((0, ''), (done.returncode, done.stderr))
        self.assertEqual((['cur/a'], {b'a': b'data'}), (self.keys(), self.there))

    def test_zcml(self):
        self.put('a')
        zope.component.testing.setUp()
        self.addCleanup(zope.component.testing.tearDown)
        xmlconfig.string(ZCML % (
            self.url, self.ftp.port, self.ftp.user, self.ftp.password, self.server.endpoint,
            self.server.account, self.server.secret))
        self.assertTrue(import_feed('dpa').successful)
        self.assertEqual({'a': b'data'}, self.contents('new'))

    def test_who_does_not_use_it_does_not_pay_for_it(self):
        done = subprocess.run(
            [sys.executable, '-c', 'import sys, tempfile\nfrom zeit.cds.main import run_import\n'
             'from zeit.cds.feed import Feed\nassert run_import(Feed(store_dir=tempfile.mkdtemp(), '
             '**%r)).successful\nprint([name for name in sys.modules '
             'if "objectstore" in name or name in ("obstore", "botocore", "concurrent.futures")])'
             % self.ftp.feed], env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)},
            capture_output=True, text=True)
        self.assertEqual(('[]\n', ''), (done.stdout, done.stderr[-1000:]))


mock_any = unittest.mock.ANY


def test_suite():
    return on_servers(Runs, [SEAWEEDFS_LAYER], level=2)
