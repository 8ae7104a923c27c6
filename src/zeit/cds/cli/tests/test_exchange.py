"""The commands as processes, against real servers: each exit status, and what is printed."""
import os
import unittest

from zeit.cds.testing import on_servers, PYFTPDLIB_LAYER, SERVER_LAYERS, ServerTestCase
from zeit.cds.testing.process import free_port
from zeit.cds.tests.commands import Commands
from zeit.cds.tests.importing import put


class Statuses(Commands):

    def test_0_when_files_were_imported(self):
        self.put('a.xml', b'a')
        self.assertEqual(0, self.cds_import(), self.err)
        self.assertEqual({b'a.xml': b'a'}, self.published)
        self.assertEqual(('', ''), (self.out, self.err))

    def test_0_when_there_is_nothing_to_do(self):
        self.assertEqual(0, self.cds_import(), self.err)
        self.assertEqual(('', ''), (self.out, self.err))

    def test_75_when_somebody_holds_a_lock(self):
        self.put('a.xml', b'a')
        for name in ('read', 'write'):
            with self.subTest(name):
                path = self.put(name, b'foreign')
                self.assertEqual(75, self.cds_import())
                self.assertIn('Lock file already exists: ' + name, self.err)
                os.unlink(path)
        self.assertEqual([b'a.xml'], list(self.there))

    def test_77_when_the_login_is_refused(self):
        self.assertEqual(77, self.cds_import(password='wrong'))
        self.assertIn('530', self.err)
        self.assertNotIn('wrong', self.err)


class Mistakes(Commands, ServerTestCase):
    """Statuses that do not depend on what kind of server it is."""

    layer = PYFTPDLIB_LAYER

    def test_1_for_any_other_error(self):
        self.assertEqual(
            1, self.run_command('cds-import', self.store_dir, self.url('/missing')), self.err
        )

    def test_2_for_wrong_usage(self):
        for options in (
            (),
            (self.store_dir,),
            ('--all', self.store_dir, self.url()),
            ('--port=1',),
            ('--limit=0', self.store_dir, self.url()),
            ('--dry-run', '--metrics=x', 'spool', self.url()),
        ):
            with self.subTest(options):
                self.assertEqual(2, self.run_command('cds-import', *options))
                self.assertIn('usage: cds-import', self.err)

    def test_69_when_the_server_is_down(self):
        self.assertEqual(
            69, self.run_command('cds-import', self.store_dir, self.url(port=free_port()))
        )
        self.assertIn('Check host name and port', self.err)
        self.assertNotIn('Traceback', self.err)

    def test_78_for_a_wrong_configuration(self):
        for options in (['--password-file=missing', self.store_dir, self.url()],
                        ['--logfile=missing/log', self.store_dir, self.url()],
                        ['--ca-file=missing', self.store_dir, self.url().replace('ftp', 'ftpes')],
                        ['missing', self.url()],
                        ['memory://dpa', self.url()],
                        ['--sink=s3', self.store_dir, self.url()],
                        ['--zcml=missing.zcml', 'dpa'],
                        ['--zcml=site.zcml', 'dpa']):
            with self.subTest(options):
                self.site(self.directive('dpa', port=70000))
                self.assertEqual(78, self.run_command('cds-import', *options), self.err)
                self.assertNotIn('Traceback', self.err)

    def test_78_for_a_feed_that_there_is_not(self):
        site = self.site(self.directive('dpa'))
        self.assertEqual(78, self.run_command('cds-import', '--zcml', site, 'reuters'), self.err)
        self.assertIn("No feed is registered under the name 'reuters'", self.err)


class Failures(Commands):
    """On servers that act as another user than who runs the tests, and may be refused a file."""

    def test_1_when_a_file_failed(self):
        self.put('a.xml', b'a')
        self.put('b.xml', b'b')
        path = os.path.join(self.server.directory, 'b.xml')
        os.removexattr(path, 'system.posix_acl_access')
        os.chmod(path, 0o600)
        self.assertEqual(1, self.cds_import('--retries=0'), self.err)
        self.assertEqual({b'a.xml': b'a'}, self.published)
        self.assertIn('b.xml', self.err)
        self.assert_nothing_left()


class Import(Commands, ServerTestCase):

    layer = PYFTPDLIB_LAYER

    def put_many(self):
        for name in ('a.xml', 'b.jpg', 'c.xml', 'd.xml'):
            self.put(name, name.encode())

    # ------------------------------------------------------------ the log

    def test_v_shows_the_log_and_vv_the_protocol(self):
        self.put('a.xml', b'a')
        self.assertEqual(0, self.cds_import('-v'))
        self.assertIn('cds-import: INFO: Downloading: a.xml\n', self.err)
        self.assertNotIn('PASS', self.err)
        self.assertEqual(0, self.cds_import('-vv'))
        self.assertIn('cds-import: DEBUG: > PASS ***\n', self.err)
        self.assertNotIn(self.server.password, self.err)

    def test_q_shows_errors_only(self):
        os.mkdir(os.path.join(self.server.directory, 'subdirectory'))
        self.assertEqual(0, self.cds_import())
        self.assertIn('subdirectory: it is a directory', self.err)
        self.assertEqual(0, self.cds_import('-q'))
        self.assertEqual('', self.err)

    def test_the_log_file_tells_all_whatever_standard_error_shows(self):
        self.put('a.xml', b'a')
        self.assertEqual(0, self.cds_import('-q', '--logfile=log'))
        self.assertIn('INFO Downloading: a.xml\n', (self.home / 'log').read_text())
        self.assertEqual(
            1,
            self.run_command(
                'cds-import', '-q', '--logfile=log', self.store_dir, self.url('/missing')
            ),
        )
        self.assertNotIn('Traceback', (self.home / 'log').read_text())
        self.assertRegex((self.home / 'log').read_text(), r'\] ERROR 550 .*\n.*\] ERROR Check the')
        self.assertIn('550', self.err)
        self.assertNotIn('Traceback', self.err)

    # ------------------------------------------------------------ what is taken

    def test_patterns_and_limit_choose_files(self):
        self.put_many()
        self.assertEqual(
            0,
            self.cds_import('--include=*.xml', '--include=*.gif', '--exclude', 'c*', '--limit', 1),
        )
        self.assertEqual([b'a.xml'], list(self.published))
        self.assertEqual(0, self.cds_import('--include=*.xml', '--exclude', 'c*'))
        self.assertEqual({b'a.xml', b'd.xml'}, set(self.published))

    def test_a_dry_run_changes_nothing(self):
        self.put_many()
        self.put('.hidden', b'')
        there = self.there
        put(os.path.join(self.store_dir, 'new'), 'c.xml')
        self.assertEqual(0, self.cds_import('--dry-run', '--include=*.xml'), self.err)
        self.assertEqual('           5  a.xml\n           5  d.xml\n', self.out)
        self.assertIn(
            "Would not be exchanged: c.xml: an older file of this name is unread", self.err
        )
        self.assertEqual(there, self.there)
        self.assertEqual({b'c.xml'}, set(self.published))
        self.assertEqual({'tmp', 'new', 'cur'}, set(os.listdir(self.store_dir)))

    def test_a_dry_run_comes_before_the_first_run(self):
        self.put_many()
        os.mkdir(self.home / 'empty')
        self.assertEqual(
            0, self.run_command('cds-import', '--dry-run', 'empty', self.url()), self.err
        )
        self.assertEqual(4, len(self.out.splitlines()))
        self.assertEqual(
            0, self.run_command('cds-export', '--dry-run', 'empty', self.url()), self.err
        )
        self.assertEqual('', self.out)
        self.assertEqual([], os.listdir(self.home / 'empty'))
        self.assertEqual(78, self.run_command('cds-import', '--dry-run', 'missing', self.url()))
        self.assertIn('Create the directory first', self.err)

    def test_a_dry_run_heeds_no_lock(self):
        self.put('a.xml', b'a')
        self.put('read', b'foreign')
        self.assertEqual(0, self.cds_import('--dry-run', '--json'), self.err)
        self.assertEqual(True, self.printed[0]['dry_run'])
        self.assertEqual(
            [('a.xml', 1)], [(entry['name'], entry['size']) for entry in self.printed[0]['files']]
        )

    # ------------------------------------------------------------ JSON

    def test_json_tells_what_a_run_did(self):
        self.put_many()
        os.mkdir(os.path.join(self.server.directory, 'subdirectory'))
        self.assertEqual(0, self.cds_import('--json', '--name=dpa', '--limit=3'))
        told, = self.printed
        self.assertGreater(told.pop('seconds'), 0)
        self.assertEqual(
            {
                'feed': 'dpa',
                'direction': 'import',
                'server': 'test@127.0.0.1:%d/' % self.server.port,
                'spool': self.store_dir,
                'status': 0,
                'files': 3,
                'bytes': 15,
                'waiting': 1, 'aside': 0,
                'failed': [],
                'names': ['a.xml', 'b.jpg', 'c.xml'],
                'unheard': [],
                'unnamed': 0,
                'skipped': [{'name': 'subdirectory', 'reason': 'it is a directory'}],
                'error': None,
            },
            told,
        )

    def test_json_tells_what_went_wrong(self):
        self.assertEqual(
            1, self.run_command('cds-import', '--json', self.store_dir, self.url('/missing'))
        )
        told, = self.printed
        self.assertEqual((1, 0, None, 'PermanentError'),
                         (told['status'], told['files'], told['waiting'], told['error']['type']))
        self.assertIn("Check the directory '/missing'", told['error']['advice'])
        self.assertEqual(78, self.cds_import('--json', '--password-file=missing'))
        self.assertEqual(
            (78, 'ConfigurationError'),
            (self.printed[0]['status'], self.printed[0]['error']['type']),
        )

    # ------------------------------------------------------------ feeds of a ZCML file

    def test_feeds_of_a_zcml_file_are_imported_one_after_the_other(self):
        self.put_many()
        os.mkdir(os.path.join(self.server.directory, 'other'))
        site = self.site(
            self.directive('dpa', exclude='other')
            + self.directive('afp', ftp_dir='/other')
            + self.directive('out', direction='export')
        )
        self.write('secret', self.server.password, 0o600)
        options = ['cds-import', '--json', '--password-file=secret', '--zcml', site]
        self.assertEqual(0, self.run_command(*options, 'dpa', 'afp'), self.err)
        self.assertEqual(
            [('dpa', 4), ('afp', 0)], [(told['feed'], told['files']) for told in self.printed]
        )
        self.assertEqual(0, self.run_command(*options, '--all'), self.err)
        self.assertEqual(['afp', 'dpa'], [told['feed'] for told in self.printed])

    def test_a_file_that_is_no_xml_is_told_with_the_line(self):
        site = self.site('<cds:feed')
        self.assertEqual(78, self.run_command('cds-import', '--zcml', site, '--all'))
        self.assertRegex(
            self.err, r'^cds-import: The ZCML file \S+ cannot be used: \S+site.zcml:\d+:\d+: not')

    def test_a_file_that_is_not_in_utf_8(self):
        site = self.site('')
        with open(site, encoding='latin-1') as f:
            text = f.read()
        with open(site, 'w', encoding='latin-1') as f:
            f.write('<?xml version="1.0" encoding="iso-8859-1"?>\n<!-- f\xfcr -->\n' + text)
        self.assertEqual(78, self.run_command('cds-import', '--zcml', site, '--all'))
        self.assertRegex(self.err, r'^cds-import: The ZCML file \S+, or .* not in UTF-8')
        self.assertIn('Save it as UTF-8.', self.err)

    def test_options_outweigh_the_zcml_file(self):
        self.put_many()
        site = self.site(self.directive('dpa', limit=1))
        self.assertEqual(
            0, self.run_command('cds-import', '--zcml', site, '--limit=2', 'dpa'), self.err
        )
        self.assertEqual(2, len(self.published))

    def test_the_status_of_several_feeds_is_the_most_serious(self):
        self.put('a.xml', b'a')
        self.put('read', b'foreign')
        secret = self.write('secret', self.server.password + '\n', 0o600)
        site = self.site(
            self.directive('a') + self.directive('b', port=free_port()) + self.directive('c')
        )
        self.assertEqual(69, self.run_command(
            'cds-import', '--json', '--password-file', secret, '--zcml', site, 'a', 'b', 'c'))
        self.assertEqual([75, 69, 75], [told['status'] for told in self.printed])

    def test_one_password_variable_is_not_told_to_several_servers(self):
        site = self.site(self.directive('a') + self.directive('b', port=free_port()))
        self.assertEqual(78, self.run_command('cds-import', '--zcml', site, 'a', 'b'))
        self.assertIn('CDS_PASSWORD is ignored', self.err)
        self.assertEqual(0, self.run_command('cds-import', '--zcml', site, 'a'), self.err)

    def test_a_broken_subscriber_changes_nothing_for_the_files(self):
        self.put_many()
        site = self.site(
            self.directive('dpa') + '<subscriber for="zeit.cds.interfaces.IFileImported" '
            'handler="zeit.cds.tests.commands.fail" />'
        )
        self.assertEqual(1, self.run_command('cds-import', '--json', '--zcml', site, 'dpa'))
        self.assertEqual(4, self.err.count('A subscriber to FileImported failed at '))
        self.assertEqual(
            {'name': 'a.xml', 'reason': 'ValueError: a broken subscriber'},
            self.printed[0]['unheard'][0])
        self.assertEqual(4, len(self.published))

    # ------------------------------------------------------------ buildout's scripts

    def test_arguments_of_a_script_are_settings(self):
        self.put('a.xml', b'a')
        server = self.server
        six = repr((self.store_dir, server.host, server.port, server.user, server.password, '/'))[
            1:-1
        ]
        self.assertEqual(0, self.run_command('cds-import', settings=six), self.err)
        self.assertEqual({b'a.xml': b'a'}, self.published)
        self.assertEqual(
            0, self.run_command('cds-import', settings=six + ', "log", retries=1'), self.err
        )
        self.assertIn('No new files to import.', (self.home / 'log').read_text())
        self.assertEqual(78, self.run_command('cds-import', settings=six + ', colour="red"'))
        self.assertIn("There is no setting 'colour'.", self.err)


class Export(Commands, ServerTestCase):
    """cds-export: what it has of its own; all else is shared with cds-import."""

    layer = PYFTPDLIB_LAYER

    def setUp(self):
        super().setUp()
        for name in ('a.xml', 'b.jpg', 'c.xml'):
            put(os.path.join(self.store_dir, 'new'), name, name.encode())

    def cds_export(self, *options, **kw):
        return self.run_command('cds-export', *options, self.store_dir, self.url(), **kw)

    def test_it_exports(self):
        self.assertEqual(0, self.cds_export('--json', '--include=*.xml'), self.err)
        self.assertEqual(
            ('export', 2, 10),
            tuple(self.printed[0][key] for key in ('direction', 'files', 'bytes')),
        )
        self.assertEqual({b'a.xml': b'a.xml', b'c.xml': b'c.xml'}, self.there)
        self.assertEqual(0, self.cds_export('--replace', '--keep=0'), self.err)
        self.assertEqual({b'a.xml', b'b.jpg', b'c.xml'}, set(self.there))

    def test_a_dry_run_changes_nothing(self):
        self.assertEqual(0, self.cds_export('--dry-run', '--limit=2'), self.err)
        self.assertEqual('           5  a.xml\n           5  b.jpg\n', self.out)
        self.assertEqual({}, self.there)
        self.assertEqual(3, len(self.published))
        self.assertEqual({'tmp', 'new', 'cur'}, set(os.listdir(self.store_dir)))

    def test_its_statuses(self):
        self.assertEqual(
            69, self.run_command('cds-export', self.store_dir, self.url(port=free_port()))
        )
        self.put('read', b'foreign')
        self.assertEqual(75, self.cds_export())
        self.assertEqual(2, self.run_command('cds-export', self.store_dir))
        self.assertEqual(78, self.cds_export('--password-file=missing'))

    def test_feeds_of_a_zcml_file(self):
        site = self.site(self.directive('in') + self.directive('out', direction='export'))
        self.assertEqual(78, self.run_command('cds-export', '--zcml', site, 'in'))
        self.assertEqual(0, self.run_command('cds-export', '--zcml', site, '--all'), self.err)
        self.assertEqual(3, len(self.there))


def test_suite():
    load = unittest.defaultTestLoader.loadTestsFromTestCase
    others = [layer for layer in SERVER_LAYERS if layer.kind.needs_root]
    return unittest.TestSuite([on_servers(Statuses), on_servers(Failures, others), load(Mistakes),
                               load(Import), load(Export) ])
