"""Each of the utilities can be replaced alone; without any ZCML the defaults work."""
import contextlib
import os
import pkgutil
import shutil
import subprocess
import sys
import tempfile
import unittest
import unittest.mock
from pathlib import Path

import zope.component
import zope.component.testing
import zope.event
import zope.interface
import zope.interface.verify
from zope.configuration import xmlconfig

from zeit.cds import credentials, interfaces
from zeit.cds.events import FileExported, FileImported, FileSkipped, Outcome, RunFinished
from zeit.cds.feed import check, Feed
from zeit.cds.interfaces import (
    ConfigurationError,
    ICDSConnection,
    ICDSSession,
    IFeed,
    IFileExported,
    IFileImported,
    IFileSink,
    IFileSkipped,
    IIncoming,
    ILockFile,
    IOutcome,
    IRunFinished,
    ISpool,
    SpoolError,
    Unreachable,
)
from zeit.cds.main import import_, inspect_locks, run_export, run_import
from zeit.cds.registry import DEFAULTS, utility
from zeit.cds.testing.layers import PYFTPDLIB_LAYER, ServerTestCase
from zeit.cds.tests.importing import Importing, recorded
from zeit.cds.transfer.retry import Deadline


APPLICATION = Path(__file__).with_name('application.zcml')
CALLS = []
FTPConnection, LockFile, FileSink = (
    pkgutil.resolve_name(DEFAULTS[interface, ''])
    for interface in (ICDSConnection, ILockFile, IFileSink))


class OtherConnection(FTPConnection):

    def open(self, *args, **kw):
        CALLS.append('connection')
        return super().open(*args, **kw)


class OtherLock(LockFile):

    def hold(self, *args, **kw):
        CALLS.append('lock')
        return super().hold(*args, **kw)


class OtherSink(FileSink):

    def open(self, feed):
        CALLS.append('sink')
        return super().open(feed)


OTHERS = {ICDSConnection: OtherConnection, ILockFile: OtherLock, IFileSink: OtherSink}
WORDS = {ICDSConnection: 'connection', ILockFile: 'lock', IFileSink: 'sink'}


def on_imported(event):
    CALLS.append('event %s' % event.name)


ZCML = '<configure xmlns="http://namespaces.zope.org/zope">%s</configure>'
UTILITY = '<utility factory="zeit.cds.tests.test_components.%s" name="%s" />'


class Replacing(Importing, ServerTestCase):

    layer = PYFTPDLIB_LAYER

    def setUp(self):
        super().setUp()
        zope.component.testing.setUp()
        self.addCleanup(zope.component.testing.tearDown)
        del CALLS[:]
        self.put('a', b'1')

    def configure(self, **files):
        """Load app.zcml, or, where there is own.zcml, that of an application that replaces others.

        files -- {name: what is in its configure element}
        """
        with tempfile.TemporaryDirectory() as directory:
            for name, text in files.items():
                with open(os.path.join(directory, name + '.zcml'), 'w') as f:
                    f.write(ZCML % text)
            if 'own' in files:
                shutil.copy(APPLICATION, os.path.join(directory, 'app.zcml'))
            xmlconfig.file(os.path.join(directory, 'app.zcml'))

    def import_(self, **settings):
        with recorded() as self.log:
            import_(
                self.store_dir,
                self.server.host,
                self.server.port,
                self.server.user,
                self.server.password,
                '/',
                **settings,
            )
        self.assertIn('Exiting with success.', self.log.of('INFO'))
        self.assertEqual({b'a': b'1'}, self.consume())

    def test_each_is_replaced_alone(self):
        for interface, other in OTHERS.items():
            with self.subTest(interface):
                zope.component.testing.tearDown()
                zope.component.testing.setUp()
                self.configure(
                    others='<include package="zeit.cds" />', own=UTILITY % (other.__name__, '')
                )
                self.assertIsInstance(zope.component.getUtility(interface), other)
                del CALLS[:]
                self.put('a', b'1')
                self.import_()
                self.assertEqual([WORDS[interface]], CALLS)

    def test_each_is_registered_alone(self):
        for interface, other in OTHERS.items():
            with self.subTest(interface):
                zope.component.testing.tearDown()
                zope.component.testing.setUp()
                self.configure(
                    app='<include package="zope.component" />' + UTILITY % (other.__name__, '')
                )
                del CALLS[:]
                self.put('a', b'1')
                self.import_()
                self.assertEqual([WORDS[interface]], CALLS)

    def test_a_feed_asks_for_a_named_one(self):
        self.configure(app='<include package="zeit.cds" />' + ''.join(
            UTILITY % (other.__name__, 'other') for other in OTHERS.values()))
        self.import_()
        self.assertEqual([], CALLS)
        for word in WORDS.values():
            self.put('a', b'1')
            self.import_(**{word: 'other'})
        self.assertEqual(list(WORDS.values()), CALLS)

    def test_an_unknown_name_is_an_error_at_once(self):
        for word in WORDS.values():
            with self.assertRaisesRegex(ConfigurationError, 'nobody'):
                self.import_(**{word: 'nobody'})
        self.assertEqual({b'a': b'1'}, self.there)

    def test_nothing_is_put_into_the_registry(self):
        registry = zope.component.getGlobalSiteManager()

        def registered():
            return [list(getattr(registry, 'registered' + kind)()) for kind in (
                'Utilities', 'Adapters', 'SubscriptionAdapters', 'Handlers')]

        before = registered()
        self.import_()
        self.assertEqual(before, registered())
        self.assertIsNone(zope.component.queryUtility(ICDSConnection))

    def test_handlers_hear_of_the_files(self):
        self.configure(
            app='<include package="zeit.cds" /><subscriber for="zeit.cds.interfaces.IFileImported" '
            'handler="zeit.cds.tests.test_components.on_imported" />'
        )
        self.import_()
        self.assertEqual(['event a'], CALLS)

    def test_a_subscriber_that_fails_changes_nothing(self):
        def fail(event):
            raise RuntimeError('no')

        zope.event.subscribers.append(fail)
        self.addCleanup(zope.event.subscribers.remove, fail)
        with self.assertRaises(AssertionError):     # it is told of at the end
            self.import_()
        self.assertEqual(({b'a': b'1'}, {}), (self.published, self.there))
        self.assertIn('subscribers failed', ''.join(self.log.of('ERROR')))

    def test_bare_interpreter(self):
        code = ('import sys, zope.component\n'
                'from zeit.cds.main import import_\n'
                'import_(sys.argv[1], sys.argv[2], int(sys.argv[3]), "test", "testpw", "/")\n'
                'assert not list(zope.component.getGlobalSiteManager().registeredUtilities())\n'
                'assert "zope.configuration" not in sys.modules\n')
        subprocess.run(
            [sys.executable, '-c', code, self.store_dir, self.server.host, str(self.server.port)],
            check=True,
            env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)},
        )
        self.assertEqual(({b'a': b'1'}, {}), (self.published, self.there))


class Unreached:
    """An ICDSConnection that gets nowhere, and keeps the feed."""

    needs_password = True

    def open(self, feed, *_, **kw):
        self.feed = feed
        raise Unreachable('no')


class Readiness(unittest.TestCase):
    """What a run looks for before it connects."""

    def setUp(self):
        self.directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.directory)
        zope.component.testing.setUp()
        self.addCleanup(zope.component.testing.tearDown)
        self.connection = Unreached()
        zope.component.provideUtility(self.connection, ICDSConnection)
        self.secret = os.path.join(self.directory, 'secret')
        with open(self.secret, 'w') as f:
            f.write('geheim')
        os.chmod(self.secret, 0o600)

    def feed(self, **settings):
        return Feed(**{**dict(
            store_dir=self.directory, hostname='h', user='u', password_file=self.secret),
            **settings})

    def call(self, verb, feed, **kw):
        with recorded(), contextlib.suppress(Unreachable):
            verb(feed, **kw)
        return self.connection.feed

    def test_a_password_is_looked_for_once(self):
        for verb in (run_import, run_export, inspect_locks):
            with unittest.mock.patch.object(
                    credentials, 'from_file', wraps=credentials.from_file) as looked:
                self.assertEqual('geheim', self.call(verb, self.feed(
                    direction='export' if verb is run_export else 'import')).password)
            looked.assert_called_once()

    def test_settings_are_checked_once(self):
        feed = self.feed()
        with unittest.mock.patch('zeit.cds.feed.check', wraps=check) as checked:
            self.call(run_import, feed)
        # (That an event has no password is checked as well.)
        self.assertEqual({'password'}, {call[0][0].__name__ for call in checked.call_args_list})
        self.assertLessEqual(checked.call_count, 2)

    def test_who_needs_no_password_is_not_asked_for_one(self):
        self.connection.needs_password = False
        feed = self.feed(password_file='/missing')
        self.assertIs(feed, self.call(run_import, feed, ask=self.fail))
        self.assertIs(feed, self.call(inspect_locks, feed, ask=self.fail))

    def test_somebody_may_be_asked(self):
        feed = self.feed(password_file=None)
        self.assertEqual('typed', self.call(run_import, feed, ask=lambda feed: 'typed').password)

    def test_each_path_is_checked_before_it_connects(self):
        for wrong in (dict(ca_file='/missing'), dict(ca_file=self.directory),
                      dict(password_file='/missing'), dict(logfile='/missing/log'),
                      dict(store_dir='/missing'), dict(store_dir=self.secret),
                      dict(store_dir='memory://spool')):
            with self.subTest(wrong), self.assertRaises(ConfigurationError), recorded():
                run_import(self.feed(**wrong))
        self.assertFalse(hasattr(self.connection, 'feed'))

    def test_a_sink_may_have_urls(self):
        class Sink(FileSink):
            schemes = 'memory',

            def open(self, feed):
                raise SpoolError('It was asked.')

        zope.component.provideUtility(Sink(), IFileSink)
        with recorded():
            outcome = run_import(self.feed(store_dir='memory://spool'))
        self.assertEqual('It was asked.', str(outcome.error))
        with self.assertRaisesRegex(ConfigurationError, 'No sink that the feed uses'):
            run_import(self.feed(store_dir='attic://spool'))

    def test_who_knows_the_scheme_of_the_store_comes_before_ours(self):
        class Sink(FileSink):
            schemes = 's3',

            def open(self, feed):
                raise SpoolError('It was asked.')

        zope.component.provideUtility(Sink(), IFileSink)
        with recorded():
            outcome = run_import(self.feed(store_dir='s3://spool'))
        self.assertEqual('It was asked.', str(outcome.error))


class Defaults(unittest.TestCase):

    def setUp(self):
        zope.component.testing.setUp()
        self.addCleanup(zope.component.testing.tearDown)

    def test_they_are_those_of_the_zcml(self):
        import zeit.cds
        xmlconfig.file('configure.zcml', zeit.cds)
        registered = [
            type(registration.component)
            for registration in zope.component.getGlobalSiteManager().registeredUtilities()
            if registration.component.__class__.__module__.startswith('zeit.cds')
        ]
        kinds = {key: pkgutil.resolve_name(name) for key, name in DEFAULTS.items()}
        self.assertCountEqual(kinds.values(), registered)
        for (interface, name), kind in kinds.items():
            self.assertIs(kind, type(zope.component.getUtility(interface, name)))

    def test_they_have_no_state(self):
        for interface, name in DEFAULTS:
            for value in vars(utility(interface, name)).values():
                self.assertIsInstance(value, tuple)     # a constant, such as of tuning


class Contracts(Importing, ServerTestCase):

    layer = PYFTPDLIB_LAYER

    def test_defaults_keep_them(self):
        for interface, name in DEFAULTS:
            zope.interface.verify.verifyObject(interface, utility(interface, name))

    def test_what_they_open_keeps_them(self):
        feed = self.feed()
        zope.interface.verify.verifyObject(IFeed, feed)
        with utility(ICDSConnection).open(feed, Deadline(60)) as session:
            zope.interface.verify.verifyObject(ICDSSession, session)
        with utility(IFileSink).open(feed) as spool:
            zope.interface.verify.verifyObject(ISpool, spool)
            incoming = spool.create('a')
            zope.interface.verify.verifyObject(IIncoming, incoming)
            incoming.discard()

    def test_events_keep_them(self):
        feed, outcome = self.feed(), Outcome()
        zope.interface.verify.verifyObject(IOutcome, outcome)
        zope.interface.verify.verifyObject(IFileImported, FileImported(feed, 'a', '/a', 1))
        zope.interface.verify.verifyObject(IFileExported, FileExported(feed, 'a', '/a', 1))
        zope.interface.verify.verifyObject(IFileSkipped, FileSkipped(feed, 'a', 'why', True))
        zope.interface.verify.verifyObject(IRunFinished, RunFinished(feed, outcome))

    def test_exceptions_have_one_root(self):
        kinds = [kind for kind in vars(interfaces).values()
                 if isinstance(kind, type) and issubclass(kind, Exception)]
        self.assertLess(10, len(kinds))
        for kind in kinds:
            self.assertTrue(issubclass(kind, interfaces.CDSError), kind)


def test_suite():
    return unittest.TestSuite(map(unittest.defaultTestLoader.loadTestsFromTestCase, (
        Replacing, Readiness, Defaults, Contracts)))
