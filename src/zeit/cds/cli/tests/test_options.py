"""Options, manual page, completion, table come from IFeed; no password from a command line."""

import contextlib
import io
import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import unittest.mock

from zeit.cds import credentials, main
from zeit.cds.cli import manual, options
from zeit.cds.feed import Feed, SETTINGS
from zeit.cds.interfaces import ConfigurationError
from zeit.cds.tests.importing import recorded


COMMANDS = ('cds-import', 'cds-export', 'cds-lock', 'cds-watch')
OWN = {
    'zcml',
    'all',
    'dry-run',
    'journal',
    'metrics',
    'jobs',
    'json',
    'probe',
    'set',
    'verbose',
    'quiet',
    'completion',
    'man',
    'version',
    'help',
}
OWN_OF_LOCK = OWN - {'dry-run', 'journal', 'metrics', 'jobs'} | {'break', 'yes'}
OWN_OF_WATCH = OWN - {'all', 'dry-run', 'metrics', 'jobs', 'json', 'probe'} | {
    'once', 'http'}
ONLY_WATCH = {'every', 'idle'}
BY_OTHER_WAYS = {
    'queue',
    'tell',
    'store_dir',
    'hostname',
    'port',
    'user',
    'ftp_dir',
    'security',
    'direction',
    'expect_within',
    'give_up_after',
    'quarantine',
    'password',
}


def long_options(text):
    return set(re.findall(r'--([a-z][a-z-]*)', text))


class FromIFeed(unittest.TestCase):

    def expected(self, command):
        settings = {options.option(SETTINGS[name]).removeprefix('--')
                    for name in options.fields(command)}
        return settings | {'cds-lock': OWN_OF_LOCK, 'cds-watch': OWN_OF_WATCH}.get(command, OWN)

    def test_every_setting_has_an_option_or_another_way(self):
        self.assertEqual(set(SETTINGS), set(options.fields('cds-watch')) | BY_OTHER_WAYS)
        for command, missing in ('cds-export', {'afterwards', *ONLY_WATCH}), ('cds-import', {
                'replace', 'keep', *ONLY_WATCH}):
            self.assertEqual(set(SETTINGS) - missing,
                             set(options.fields(command)) | BY_OTHER_WAYS)
        self.assertLess(set(options.fields('cds-lock')), set(SETTINGS))

    def test_what_the_url_gives_are_settings(self):
        found = options.url_settings('ftps://cds@host:9/in')
        self.assertEqual({'store_dir', 'direction', 'expect_within', 'queue', 'tell',
                          'give_up_after', 'quarantine', 'password'},
                         BY_OTHER_WAYS - found.keys())
        self.assertLessEqual(found.keys(), SETTINGS.keys())

    def test_help_shows_each_option_and_no_other(self):
        for command in COMMANDS:
            with self.subTest(command):
                text = options.parser(command).format_help().partition('settings of the feed:')[2]
                self.assertEqual(self.expected(command), long_options(
                    '\n'.join(line for line in text.splitlines() if line.startswith('  -'))))

    def test_help_tells_titles_and_defaults(self):
        with unittest.mock.patch.dict(os.environ, COLUMNS='200'):
            text = options.parser('cds-export').format_help()
        for name in options.fields('cds-export'):
            self.assertIn(options.help_of(SETTINGS[name]), text)

    def test_help_fits_a_screen(self):
        for command in COMMANDS:
            with unittest.mock.patch.dict(os.environ, COLUMNS='80'):
                lines = options.parser(command).format_help().splitlines()
            self.assertLessEqual(len(lines), 50)
            self.assertLess(max(map(len, lines)), 80)

    def test_the_manual_page_has_the_same_options(self):
        for command in COMMANDS:
            with self.subTest(command):
                page = manual.man_page(options.parser(command)).replace('\\-', '-')
                headings = '\n'.join(line for line in page.splitlines() if line.startswith('.B '))
                self.assertEqual(self.expected(command), long_options(headings))
                for name in options.fields(command):
                    self.assertIn(SETTINGS[name].description, page.replace('\\', ''))

    @unittest.skipUnless(shutil.which('man'), 'man is not installed: apt-get install man-db')
    def test_the_manual_page_is_formatted_without_a_complaint(self):
        page = manual.man_page(options.parser('cds-import'))
        done = subprocess.run(
            ['man', '--warnings', '-l', '-'],
            input=page,
            text=True,
            capture_output=True,
            env={**os.environ, 'MANROFFSEQ': '', 'LC_ALL': 'C.UTF-8'},
        )
        self.assertEqual((0, ''), (done.returncode, done.stderr))

    def test_completion_knows_the_options(self):
        for shell in options.SHELLS:
            text = manual.completion(options.parser('cds-import'), shell)
            self.assertIn('password-file', text)

    def test_the_table_has_each_setting(self):
        table = manual.settings_table()
        self.assertEqual(list(SETTINGS), [row[0] for row in table])
        self.assertEqual(
            {'port': '21', 'security': 'none', 'timeout': '60'},
            {
                name: default
                for name, _, default, _ in table
                if name in ('port', 'security', 'timeout')
            },
        )

    def test_import_accepts_each_setting_by_keyword(self):
        given = dict(
            store_dir='', hostname='h', user='u', port=1, password='', ftp_dir='/', logfile=None
        )
        with unittest.mock.patch.object(main, 'run_import') as run:
            for name, field in SETTINGS.items():
                main.import_(**{**given, name: given.get(name, field.default)})
                self.assertIsInstance(run.call_args[0][0], Feed)
            with self.assertRaises(ConfigurationError):
                main.import_(**given, colour='red')


class Unknown(unittest.TestCase):

    def refused(self, *arguments):
        """What is printed about arguments that are refused."""
        with contextlib.redirect_stderr(io.StringIO()) as err, self.assertRaises(SystemExit):
            options.parser('cds-import').parse([*arguments, 'spool', 'ftp://cds@host/'])
        return err.getvalue()

    def test_an_option_is_no_abbreviation_of_another(self):
        self.assertIn('there is no option --password-f\n', self.refused('--password-f=geheim'))

    def test_what_may_be_a_password_is_not_shown(self):
        self.assertNotIn('geheim', self.refused('--password=geheim'))


class URLs(unittest.TestCase):

    def test_its_parts(self):
        self.assertEqual(dict(hostname='host', security='none', user='cds', ftp_dir='/'),
                         options.url_settings('ftp://cds@host'))
        self.assertEqual(
            dict(hostname='::1', security='explicit', user='c@s', ftp_dir='/a b/', port=2121),
            options.url_settings('ftpes://c%40s@[::1]:2121/a%20b/'),
        )
        self.assertEqual('implicit', options.url_settings('ftps://cds@host/')['security'])

    def test_what_is_none(self):
        for url in (
            '',
            'host',
            'http://cds@host/',
            'file:srv',
            'file://host/srv',
            'file://cds@localhost/',
            'ftp://host/',
            'ftp://cds@/',
            'ftp://cds@host:99999/',
            'ftp://cds@host:x/',
            'ftp://cds@host/?a',
            'ftp://cds@host/#a',
            'ftp://cds@[host/',
        ):
            with self.subTest(url), self.assertRaises(ConfigurationError):
                options.url_settings(url)

    def test_a_directory_on_this_machine(self):
        mine = dict(connection='file', hostname='localhost', ftp_dir='/srv/in coming',
                    user=pwd.getpwuid(os.geteuid()).pw_name)
        self.assertEqual(mine, options.url_settings('file:///srv/in%20coming'))
        self.assertEqual(mine, options.url_settings('file://localhost/srv/in%20coming'))

    def test_a_password_is_refused_and_not_shown(self):
        for url in ('ftp://cds:geheim@host/', 'ftp://cds:geheim/x@host/', 'ftp://cds:ge#heim@host/',
                    'ftp://cds:@host/'):
            with self.subTest(url), self.assertRaises(ConfigurationError) as caught:
                options.url_settings(url)
            self.assertNotRegex(str(caught.exception), 'ge|heim')


class Passwords(unittest.TestCase):

    def setUp(self):
        self.home = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.home)
        patch = unittest.mock.patch.dict(os.environ, HOME=self.home)
        patch.start()
        self.addCleanup(patch.stop)
        os.environ.pop('CDS_PASSWORD', None)

    def write(self, name, text, mode=0o600):
        path = os.path.join(self.home, name)
        with open(path, 'w') as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def password(self, **settings):
        with recorded() as self.log:
            feed = credentials.complete(
                Feed(store_dir='', hostname='ftp.example.com', user='cds', **settings), self.ask)
        return feed.password

    @staticmethod
    def ask(feed):
        return 'five'

    def test_sources_in_their_order(self):
        self.assertEqual('five', self.password())
        self.write('.netrc', 'machine ftp.example.com login cds password four\n')
        self.assertEqual('four', self.password())
        os.environ['CDS_PASSWORD'] = 'three'
        self.assertEqual('three', self.password())
        path = self.write('secret', 'two\nmore\n')
        self.assertEqual('two', self.password(password_file=path))
        self.assertEqual('one', self.password(password_file=path, password='one'))
        self.assertEqual([], self.log.warnings)

    def test_none_at_all_is_an_error_unless_the_user_needs_none(self):
        for ask in (None, lambda feed: ''):
            with self.assertRaisesRegex(
                    ConfigurationError, 'There is no password for cds@ftp.example.com:21/: give'):
                credentials.complete(
                    Feed(store_dir='', hostname='ftp.example.com', user='cds'), ask
                )
        anonymous = Feed(store_dir='', hostname='ftp.example.com', user='anonymous')
        self.assertIs(anonymous, credentials.complete(anonymous, self.ask))

    def test_a_password_file_that_others_may_read_is_warned_of(self):
        self.assertEqual('two', self.password(password_file=self.write('secret', 'two', 0o644)))
        self.assertIn('Others may read or change the password file', self.log.warnings[0])
        self.assertNotIn('two', self.log.warnings[0])

    def test_a_password_file_that_is_of_no_use_is_an_error(self):
        for path in (self.write('empty', ''), self.write('below', '\ntwo'),
                     os.path.join(self.home, 'missing'), self.home):
            with self.assertRaisesRegex(ConfigurationError, 'password file'):
                self.password(password_file=path)

    def test_netrc_of_another_user_or_host_tells_nothing(self):
        self.write(
            '.netrc',
            'machine ftp.example.com login other password no\nmachine h login cds password no\n',
        )
        self.assertEqual('five', self.password())

    def test_a_netrc_that_is_of_no_use_is_warned_of_without_what_is_in_it(self):
        self.write('.netrc', 'machine ftp.example.com login cds password my geheim\n')
        self.assertEqual('five', self.password())
        self.assertRegex(self.log.warnings[0], r'~/.netrc cannot be used: line \d makes no sense.')
        self.write('.netrc', 'machine ftp.example.com login cds password geheim\n', 0o644)
        self.assertEqual('five', self.password())
        self.assertEqual(['~/.netrc cannot be used: others may read it. Take that right away: '
                          'chmod 600 ~/.netrc'], self.log.warnings[:1])
        path = self.write('.netrc', '', 0o600)
        with open(path, 'wb') as f:
            f.write(b'machine ftp.example.com login cds password geheim\xfc\n')
        self.assertEqual('five', self.password())
        self.assertIn('~/.netrc cannot be used: it is neither in UTF-8', self.log.warnings[0])
        self.assertNotIn('geheim', '\n'.join(self.log.warnings))


class Startup(unittest.TestCase):
    """What costs time is imported when it is used: cron runs a command each minute."""

    UNUSED = (
        'tqdm',
        'prometheus_client',
        'shtab',
        'zope.configuration',
        'ssl',
        'tenacity',
        'netrc',
        'json',
        'hypothesis',
        'pkg_resources',
        'importlib.metadata',
        'zope.component',
        'gocept.filestore',
        'hashlib',
        'shutil',
        'urllib.parse',
        'logging.handlers',
        'random',
        'ctypes',
        'waitress',
        'prometheus_client',
        'zeit.cds.cli.jobs',
        'zeit.cds.cli.service',
        'zeit.cds.watch',
        'zeit.cds.web',
        'sqlalchemy',
        'zeit.cds.journal',
        'zeit.cds.interfaces.journal',
        'zeit.cds.spool.hashed',
        'zeit.cds.spool.notes',
    )

    def test_a_command_begins_without_what_it_may_not_need(self):
        found = self.printed_by(
            'import sys, zeit.cds.cli.exchange, zeit.cds.cli.runs, zeit.cds.cli.options\n'
            'import zeit.cds.ftp.session, zeit.cds.lock.lockfile, zeit.cds.spool.inbox\n'
            'zeit.cds.cli.options.parser("cds-import"); print(*sys.modules)')
        self.assertEqual(set(), set(self.UNUSED) & set(found.split()))

    def test_who_imports_it_keeps_the_garbage_collector_and_the_path(self):
        self.assertEqual('0 True True True', self.printed_by(
            'import gc, sys\nfrozen, path = gc.get_freeze_count(), list(sys.path)\n'
            'threshold = gc.get_threshold()\n'
            'import zeit.cds.cli.exchange, zeit.cds.cli.lock, zeit.cds.cli.runs\n'
            'print(gc.get_freeze_count() - frozen, gc.isenabled(),'
            ' gc.get_threshold() == threshold, sys.path == path)'))

    def test_the_entry_point_looks_into_pythons_library_before_all_eggs(self):
        path = self.printed_by(
            'import os, sys, zeit.cds.cli.exchange\nsys.argv[1:] = ["--all"]\n'
            'sys.path[:0] = ["/second", "/first"]\n'
            'try: zeit.cds.cli.exchange.import_()\nexcept SystemExit: pass\n'
            'print(os.path.dirname(os.__file__), *sys.path, sep=os.pathsep)').split(os.pathsep)
        library = path[0], path[0] + '/lib-dynload'
        places = [n for n, name in enumerate(path) if n and name in library]
        self.assertEqual(list(range(1, 1 + len(places))), places)
        self.assertEqual(['/second', '/first'], path[1 + len(places):][:2])

    def test_the_entry_point_freezes_it(self):
        frozen, enabled = self.printed_by(
            'import gc, sys, zeit.cds.cli.exchange\nsys.argv[1:] = ["--all"]\n'
            'try: zeit.cds.cli.exchange.import_()\nexcept SystemExit: pass\n'
            'print(gc.get_freeze_count(), gc.isenabled())').split()
        self.assertGreater(int(frozen), 1000)
        self.assertEqual('True', enabled)

    def printed_by(self, code):
        done = subprocess.run(
            [sys.executable, '-S', '-c', code], capture_output=True, text=True, check=True,
            env={**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path))})
        return done.stdout.strip()
