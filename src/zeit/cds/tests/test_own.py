"""Settings that a connection, a lock or a sink has of its own."""
import contextlib
import io
import shutil
import subprocess
import sys
import tempfile
import unittest

import zope.component
import zope.component.testing

from zeit.cds.events import FileImported, Outcome, RunFinished
from zeit.cds.feed import Feed, replaced, SETTINGS, without_password
from zeit.cds.interfaces import (
    ConfigurationError,
    ICDSConnection,
    IFileSink,
    IFileSource,
    ILockFile,
    Unreachable,
)
from zeit.cds.lock.lockfile import LockFile
from zeit.cds.main import inspect_locks, run_export, run_import
from zeit.cds.own import configured, Written
from zeit.cds.testing.logs import recorded
from zeit.cds.tests.bucket import BucketSink, IBucket


WANTED = dict(store_dir='', hostname='h', user='u')
SINK = {'sink': BucketSink()}


def own(**settings):
    """What the sink gets of these settings."""
    feed = Feed(**WANTED, **{'sink.bucket': 'news', **{
        'sink.' + name: value for name, value in settings.items()}})
    return configured(feed, SINK).of('sink')


class Settings(unittest.TestCase):

    def refused(self, text, **settings):
        with self.assertRaisesRegex(ConfigurationError, text) as caught:
            own(**settings)
        return str(caught.exception)

    def test_they_have_the_attributes_and_defaults_of_the_interface(self):
        found = own(parts=7, tags=['a'], wait=2)
        self.assertTrue(IBucket.providedBy(found))
        self.assertEqual(
            ('news', 'eu', 7, 2.0, False, ('a',), None),
            (found.bucket, found.region, found.parts, found.wait, found.public, found.tags,
             found.key_file))

    def test_what_was_written_is_read(self):
        found = own(parts=Written('7'), tags=Written('a  b'), wait=Written('2'),
                    public=Written('yes'), key_file=Written('id', '/srv/id'), region=Written('eu'),
                    secret=Written('geheim'))
        self.assertEqual(
            (7, ('a', 'b'), 2.0, True, '/srv/id', 'eu', 'geheim'),
            (found.parts, found.tags, found.wait, found.public, found.key_file, found.region,
             found.secret))
        self.assertIs(False, own(public=Written('no')).public)
        self.assertEqual('id', own(key_file=Written('id')).key_file)

    def test_a_wrong_one_is_named(self):
        for name, value in [('parts', 0), ('parts', '7'), ('parts', Written('many')),
                            ('parts', Written('0')), ('wait', Written('long')),
                            ('public', Written('perhaps')), ('bucket', 7)]:
            with self.subTest(name=name, value=value):
                self.refused(r'^The setting sink\.%s is wrong: ' % name, **{name: value})
        self.refused(r'sink\.region is wrong: .*possible are eu, us', region=Written('asia'))

    def test_an_unknown_one_is_refused_with_those_there_are(self):
        self.refused(r"^There is no setting 'sink\.colour': possible are sink\.bucket, sink\.reg",
                     colour='red')
        for owner, text in [('lock', 'the lock of this feed has none of its own'),
                            ('connection', 'the connection of this feed has none of its own')]:
            with self.assertRaisesRegex(ConfigurationError, text):
                configured(Feed(**WANTED, **{owner + '.colour': 'red'}), {owner: object()})

    def test_one_that_belongs_to_nobody_is_refused_at_once(self):
        with self.assertRaisesRegex(ConfigurationError, "There is no setting 'spool.bucket'"):
            Feed(**WANTED, **{'spool.bucket': 'news'})

    def test_a_required_one_is_missed(self):
        with self.assertRaisesRegex(ConfigurationError, "'sink.bucket' is missing: Bucket"):
            configured(Feed(**WANTED), SINK)

    def test_those_that_contradict_each_other_are_refused(self):
        self.refused('^The settings of the sink contradict each other: us is private',
                     region='us', public=True)

    def test_a_password_is_never_shown(self):
        self.assertNotIn('geheim', self.refused('sink.secret is wrong', secret='geheim\n'))
        self.assertNotIn('geheim', self.refused(
            'No sink.secret on a command line', secret=Written('geheim', public=True)))
        feed = configured(Feed(**WANTED, **{'sink.bucket': 'b', 'sink.secret': 'geheim'}), SINK)
        self.assertEqual('geheim', feed.of('sink').secret)
        self.assertNotIn('geheim', repr(feed) + repr(feed.of('sink')))


class Feeds(unittest.TestCase):

    def setUp(self):
        self.feed = Feed(**WANTED, password='p',
                         **{'sink.bucket': 'news', 'sink.secret': 'geheim'})

    def test_another_feed_keeps_them(self):
        for feed in (self.feed.replaced(limit=3), replaced(self.feed, **{'sink.parts': 5}),
                     replaced(Stranger(self.feed), limit=3)):
            self.assertEqual('news', configured(feed, SINK).of('sink').bucket)
        self.assertEqual(5, configured(
            self.feed.replaced(**{'sink.parts': 5}), SINK).of('sink').parts)

    def test_what_was_checked_stays_so_unless_it_changes(self):
        feed = configured(self.feed, SINK)
        self.assertIs(feed.of('sink'), feed.replaced(password='q').of('sink'))
        for change in (dict(sink='other'), {'sink.parts': 5}):
            with self.assertRaisesRegex(ConfigurationError, 'have not been looked at'):
                feed.replaced(**change).of('sink')

    def test_an_event_has_no_password_of_theirs(self):
        feed = configured(self.feed, SINK)
        for event in (FileImported(feed, 'a', '/a', 1), RunFinished(feed, Outcome())):
            self.assertEqual(('news', ''), (
                event.feed.of('sink').bucket, event.feed.of('sink').secret))
            self.assertNotIn('geheim', repr([vars(event.feed), vars(event.feed.of('sink'))]))
        for unknown in (self.feed, Stranger(self.feed), self.feed.replaced(password='')):
            self.assertNotIn('geheim', repr(vars(without_password(unknown))))

    def test_a_plain_feed_does_not_load_what_reads_them(self):
        subprocess.run([sys.executable, '-c', (
            'import sys\nsys.path[:] = %r\n'
            'from zeit.cds import main\nfrom zeit.cds.feed import Feed\n'
            'feed = Feed(store_dir="/tmp", hostname="127.0.0.1", port=1, user="u", password="p",\n'
            '            retries=0)\n'
            'main.run_import(feed)\nassert "zeit.cds.own" not in sys.modules' % sys.path)],
            check=True, stderr=subprocess.DEVNULL)


class Stranger:
    """An IFeed of somebody's own."""

    def __init__(self, feed):
        vars(self).update({name: getattr(feed, name) for name in SETTINGS}, own=feed.own)


class Unreached:
    """An ICDSConnection that gets nowhere, and keeps the feed."""

    needs_password = True
    settings = None
    feed = None

    def open(self, feed, *_, **kw):
        self.feed = feed
        raise Unreachable('no')


class OtherLock(LockFile):
    settings = IBucket


class Runs(unittest.TestCase):
    """They are checked when the utilities are known, before anything is opened."""

    def setUp(self):
        zope.component.testing.setUp()
        self.addCleanup(zope.component.testing.tearDown)
        self.connection = Unreached()
        zope.component.provideUtility(self.connection, ICDSConnection)
        self.directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.directory)

    def feed(self, settings, **kw):
        return Feed(**{**WANTED, 'store_dir': self.directory, 'password': 'p', 'retries': 0, **kw},
                    **settings)

    def call(self, verb, feed):
        with recorded(), contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(
                Unreachable):
            verb(feed)
        return self.connection.feed

    def test_each_utility_gets_its_own(self):
        self.connection.settings = IBucket
        for interface, utility in (
                (ILockFile, OtherLock()), (IFileSink, BucketSink()), (IFileSource, BucketSink())):
            zope.component.provideUtility(utility, interface)
        given = {owner + '.bucket': owner for owner in ('connection', 'lock', 'sink')}
        for verb, owners in ((run_import, given), (inspect_locks, ('connection.', 'lock.'))):
            feed = self.call(verb, self.feed(given))
            for owner in owners:
                owner = owner.partition('.')[0]
                self.assertEqual(owner, feed.of(owner).bucket)
        with recorded(), self.assertRaisesRegex(ConfigurationError, 'sink.colour'):
            run_export(self.feed({**given, 'sink.colour': 'red'}, direction='export'))

    def test_a_mistake_is_told_before_it_connects(self):
        for given in ({'sink.bucket': 'news'}, {'lock.wait': 1}, {'connection.key': 'k'}):
            with recorded(), self.assertRaisesRegex(ConfigurationError, 'none of its own'):
                run_import(self.feed(given))
        self.assertIsNone(self.connection.feed)

    def test_those_of_a_sink_are_not_looked_at_for_its_locks(self):
        self.assertEqual({'sink.bucket': 'news'}, self.call(
            inspect_locks, self.feed({'sink.bucket': 'news'})).own)
