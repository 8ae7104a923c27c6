"""The commands, with sftp:// in place of ftp://."""
import os
import subprocess
import sys
from pathlib import Path

from zeit.cds.testing.layers import PYFTPDLIB_LAYER, ServerTestCase, SSHD_LAYER
from zeit.cds.tests.commands import Commands, environment


FILES = {b'a.xml': b'<a/>', b'b c.jpg': b'\xff\xd8' * 50_000, 'Köln.xml'.encode(): b'',
         b'-rf': b'1'}
LOCKED, REFUSED, MISCONFIGURED, FAILED = 75, 77, 78, 1

CODE = '''\
import sys
from zeit.cds.cli import exchange
assert exchange.import_() == 0
print([name for name in sys.modules if "sftp" in name or name == "subprocess"])
'''


class Command(Commands, ServerTestCase):

    layer = SSHD_LAYER

    def url(self, directory=None, user=None, port=None):
        return super().url(directory or self.server.directory, user, port).replace(
            'ftp://', 'sftp://', 1)

    @property
    def options(self):
        return ['--set=connection.ssh_config=/dev/null',
                '--set=connection.known_hosts=%s' % self.server.known_hosts]

    def test_import_by_password(self):
        for name, data in FILES.items():
            self.put(name, data)
        self.assertEqual(0, self.cds_import(*self.options))
        self.assertEqual((FILES, {}), (self.published, self.there))

    def test_import_by_key(self):
        self.put('a', b'1')
        self.assertEqual(0, self.cds_import(
            *self.options, '--set=connection.identity=%s' % self.server.identity, password=''))
        self.assertEqual({b'a': b'1'}, self.published)

    def test_export(self):
        for name, data in FILES.items():
            Path(self.store_dir, 'new', os.fsdecode(name)).write_bytes(data)
        self.assertEqual(0, self.run_command(
            'cds-export', *self.options, self.store_dir, self.url()))
        self.assertEqual((FILES, FILES), (self.there, self.spool('cur')))

    def test_many_files_on_several_sessions(self):
        files = {b'%d.xml' % number: b'%d' % number * 1000 for number in range(300)}
        for name, data in files.items():
            self.put(name, data)
        self.assertEqual(0, self.cds_import(*self.options, '--connections=4'))
        self.assertEqual((files, {}), (self.published, self.there))

    def test_lock(self):
        self.put('write', b'somebody')
        self.assertEqual(LOCKED, self.cds_import(*self.options))
        self.assertEqual(0, self.run_command(
            'cds-lock', *self.options, '--break=write', '--yes', self.url()))
        self.assertEqual(0, self.cds_import(*self.options))

    def test_statuses(self):
        self.assertEqual(REFUSED, self.cds_import(*self.options, password='wrong'))
        self.assertEqual(MISCONFIGURED, self.cds_import(*self.options, '--active'))
        self.assertEqual(MISCONFIGURED, self.cds_import(
            *self.options, '--set=connection.identity=/nonexistent'))
        self.assertEqual(FAILED, self.cds_import(
            '--set=connection.ssh_config=/dev/null', '--set=connection.known_hosts=/dev/null'))
        self.assertIn(self.server.fingerprint, self.err)

    def test_feed_of_zcml(self):
        self.put('a', b'1')
        feed = self.directive('feed', ftp_dir=self.server.directory, connection='sftp')
        path = self.site(feed.replace('/>', '>') + (
            '<cds:connection identity="%s" known_hosts="%s" ssh_config="/dev/null" />'
            '</cds:feed>' % (self.server.identity, self.server.known_hosts)))
        status = self.run_command('cds-import', '--zcml', path, 'feed', password='')
        self.assertEqual((0, {b'a': b'1'}), (status, self.published), self.err)


class Imports(Commands, ServerTestCase):

    layer = PYFTPDLIB_LAYER

    def test_a_run_by_ftp_imports_none_of_it(self):
        self.put('a', b'1')
        done = subprocess.run(
            [sys.executable, '-c', CODE, self.store_dir, self.url()], check=True, text=True,
            env=environment(self.home, CDS_PASSWORD=self.server.password),
            stdout=subprocess.PIPE)
        self.assertEqual('[]', done.stdout.strip())
        self.assertEqual({b'a': b'1'}, self.published)
