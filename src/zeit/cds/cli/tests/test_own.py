"""Settings that a sink has of its own, on the command line and in ZCML."""
from zeit.cds.testing import PYFTPDLIB_LAYER, ServerTestCase
from zeit.cds.tests.commands import Commands


SINK = '<utility factory="zeit.cds.tests.bucket.BucketSink" name="bucket" />'


class Own(Commands, ServerTestCase):

    layer = PYFTPDLIB_LAYER

    def of_zcml(self, *options, body='', name='dpa'):
        """Import by a feed with that sink; returns the status."""
        secret = self.write('secret', self.server.password, 0o600)
        feed = self.directive(name, sink='bucket', password_file=secret, **{'ftp_dir': '/'})
        return self.run_command('cds-import', *options, '--all', '--zcml', self.site(
            SINK + feed.replace(' />', '>%s</cds:feed>' % body)))

    def test_zcml(self):
        self.put('a.xml', b'a')
        self.assertEqual(0, self.of_zcml(
            '--json', body='<cds:sink bucket="news" key_file="k" secret="geheim" />'), self.err)
        told, report = self.out.splitlines()
        self.assertEqual('news eu %s' % (self.home / 'k'), told)
        self.assertEqual({b'a.xml': b'a'}, self.published)
        self.assertNotIn('geheim', self.out + self.err)

    def test_an_option_outweighs_it(self):
        self.assertEqual(0, self.of_zcml(
            '--set', 'sink.bucket=a=b', '--set=sink.region=us', '--set=sink.key_file=k',
            body='<cds:sink bucket="news" />'), self.err)
        self.assertEqual('a=b us k\n', self.out)

    def test_78_for_a_mistake(self):
        for options, text in [
                ((), r"The setting 'sink.bucket' is missing: Bucket\."),
                (('--set=sink.bucket=a', '--set=sink.colour=red'), 'possible are sink.bucket, '),
                (('--set=sink.bucket=a', '--set=sink.parts=many'),
                 'The setting sink.parts is wrong: .many.'),
                (('--set=sink.bucket=a', '--set=sink.secret=geheim'), 'No sink.secret on a comma'),
                (('--set=sink.bucket=a', '--set=lock.wait=1'), 'lock of this feed has none of')]:
            with self.subTest(options):
                self.assertEqual(78, self.of_zcml(*options), self.err)
                self.assertRegex(self.err, text)
                self.assertNotIn('geheim', self.err)
        self.assertEqual(78, self.cds_import('--set=sink.bucket=a'))
        self.assertIn('the sink of this feed has none of its own', self.err)

    def test_2_for_what_is_no_such_setting(self):
        for option in ('spool.bucket=geheim', 'bucket=geheim', 'sink.bucket', 'sink.=geheim', ''):
            with self.subTest(option):
                self.assertEqual(2, self.cds_import('--set', option))
                self.assertIn('--set: NAME=VALUE is wanted, with a name that begins with '
                              'connection. or lock. or sink.', self.err)
                self.assertNotIn('geheim', self.err)
