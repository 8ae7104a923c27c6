"""<cds:feed>, and the feeds that a command finds in a ZCML file."""
import os
import shutil
import tempfile
import unittest
from pathlib import Path

import zope.component
import zope.component.testing
from zope.configuration import xmlconfig
from zope.configuration.xmlconfig import ZopeXMLConfigurationError

from zeit.cds import main
from zeit.cds.cli import site
from zeit.cds.feed import Feed, SETTINGS
from zeit.cds.interfaces import ConfigurationError, IFeed
from zeit.cds.own import configured
from zeit.cds.registry import registered_journal
from zeit.cds.tests.bucket import BucketSink
from zeit.cds.zcml import IFeedDirective


APPLICATION = Path(__file__).with_name('application.zcml')
FRAME = """\
<configure xmlns="http://namespaces.zope.org/zope" xmlns:cds="http://namespaces.zeit.de/cds">
<include package="zeit.cds" file="meta.zcml" />
%s
</configure>
"""
LEAST = 'store_dir="spool" hostname="ftp.example.com" user="cds"'


class Journals(unittest.TestCase):

    def setUp(self):
        zope.component.testing.setUp()
        self.addCleanup(zope.component.testing.tearDown)

    def test_a_journal_is_registered(self):
        self.assertIsNone(registered_journal())
        xmlconfig.string(FRAME % '<cds:journal url="/var/lib/cds/journal" keep_days="7" />')
        journal = registered_journal()
        self.assertEqual(('/var/lib/cds/journal', 7.0), (journal.url, journal.keep_days))

    def test_a_wrong_url(self):
        with self.assertRaisesRegex(ZopeXMLConfigurationError, 'SQLite or PostgreSQL'):
            xmlconfig.string(FRAME % '<cds:journal url="mysql://x" />')


class Feeds(unittest.TestCase):

    def setUp(self):
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)
        zope.component.testing.setUp()
        self.addCleanup(zope.component.testing.tearDown)

    def write(self, body, name='site.zcml'):
        path = self.directory / name
        path.write_text(FRAME % body)
        return path

    def load(self, body):
        xmlconfig.file(str(self.write(body)))

    def feed(self, attributes, name='dpa'):
        self.load('<cds:feed name="%s" %s />' % (name, attributes))
        return zope.component.getUtility(IFeed, name)

    def refused(self, body):
        """The text of the error that the ZCML leads to."""
        with self.assertRaises(Exception) as caught:
            self.load(body)
        return str(caught.exception)

    def test_every_attribute_is_a_setting_and_every_setting_an_attribute(self):
        self.assertEqual(
            list(SETTINGS), sorted(IFeedDirective.names(), key=lambda n: IFeedDirective[n].order)
        )

    def test_a_feed_has_the_defaults_of_IFeed(self):
        feed = self.feed(LEAST)
        for name, field in SETTINGS.items():
            if name not in ('name', 'store_dir', 'hostname', 'user'):
                self.assertEqual(field.default, getattr(feed, name), name)

    def test_attributes_have_the_types_of_IFeed(self):
        (self.directory / 'secret').write_text('geheim\n')
        feed = self.feed(
            LEAST
            + ' direction="export" port="2121" security="explicit" connections="2" timeout="1.5" '
            'include="*.xml *.jpg" replace="yes" keep="30" ftp_dir="/in" password_file="secret"'
        )
        self.assertEqual(
            ('export', 2121, 'explicit', 2, 1.5, ('*.xml', '*.jpg'), True, 30.0, '/in'),
            (
                feed.direction,
                feed.port,
                feed.security,
                feed.connections,
                feed.timeout,
                feed.include,
                feed.replace,
                feed.keep,
                feed.ftp_dir,
            ),
        )

    def test_implicit_tls_has_a_port_of_its_own(self):
        self.assertEqual(990, self.feed(LEAST + ' security="implicit"').port)

    def test_paths_are_relative_to_the_zcml_file(self):
        feed = self.feed(LEAST + ' logfile="log/dpa.log"')
        self.assertEqual(str(self.directory / 'spool'), feed.store_dir)
        self.assertEqual(str(self.directory / 'log/dpa.log'), feed.logfile)

    def test_a_file_that_is_missing_is_for_the_run_to_miss(self):
        self.feed(LEAST + ' password_file="missing" ca_file="missing"')

    def test_a_url_is_no_path(self):
        feed = self.feed('store_dir="memory://dpa" hostname="h" user="u"')
        self.assertEqual('memory://dpa', feed.store_dir)

    def test_variables_and_home_are_expanded(self):
        before = dict(os.environ)
        self.addCleanup(lambda: (os.environ.clear(), os.environ.update(before)))
        os.environ.update(HOME='/home/cds', CDS_PLACE='/srv/cds')
        feed = self.feed('store_dir="$CDS_PLACE/spool" logfile="~/dpa.log" hostname="h" user="u"')
        self.assertEqual(('/srv/cds/spool', '/home/cds/dpa.log'), (feed.store_dir, feed.logfile))

    def test_mistakes_are_told_with_file_and_line(self):
        for attributes, text in [
                ('colour="red"', 'colour'),
                ('port="70000"', 'port'),
                ('port="ftp"', 'port'),
                ('security="tls"', 'security'),
                ('connections="0"', 'connections'),
                ('timeout="soon"', 'timeout'),
                ('direction="both"', 'direction')]:
            with self.subTest(attributes):
                error = self.refused('<cds:feed name="dpa" %s\n %s />' % (LEAST, attributes))
                self.assertIn(text, error)
                self.assertIn(str(self.directory / 'site.zcml'), error)
                self.assertRegex(error, r'line 3\.0|:3:0')

    def test_a_lock_that_is_stale_before_its_run_ends_is_a_mistake(self):
        wanted = dict(store_dir='', hostname='h', user='u')
        for wrong in (
            dict(stale_after=3600),
            dict(run_limit=7200),
            dict(stale_after=60, run_limit=60),
        ):
            with self.assertRaisesRegex(
                ConfigurationError,
                r'^The settings .*: stale_after \([0-9]+ s\) must be more than '
                r'run_limit \([0-9]+ s\).*Raise stale_after, or lower run_limit\.$',
            ):
                Feed(**wanted, **wrong)
        self.assertEqual(60, Feed(**wanted, stale_after=60, run_limit=59).stale_after)

    def test_what_never_ends_is_no_duration(self):
        for name in 'timeout', 'run_limit', 'stale_after', 'every':
            for number in 'nan', 'inf':
                with self.assertRaisesRegex(
                        ConfigurationError, '^The setting %s is wrong: %s' % (name, number)):
                    Feed(store_dir='', hostname='h', user='u', **{name: float(number)})

    def test_what_is_missing_is_told(self):
        self.assertIn(
            'hostname', self.refused('<cds:feed name="dpa" store_dir="spool" user="cds" />')
        )
        self.assertIn('name', self.refused('<cds:feed %s />' % LEAST))
        self.assertIn('name', self.refused('<cds:feed name="" %s />' % LEAST))

    def test_a_wrong_password_is_not_shown(self):
        error = self.refused('<cds:feed name="dpa" %s password="geh&#10;eim" />' % LEAST)
        self.assertIn('password', error)
        self.assertNotIn('eim', error)

    def with_own(self, body):
        """The settings of its own that the sink of a feed has, whose directive holds this body."""
        self.load('<cds:feed name="dpa" %s>%s</cds:feed>' % (LEAST, body))
        return configured(
            zope.component.getUtility(IFeed, 'dpa'), {'sink': BucketSink()}).of('sink')

    def test_a_sink_has_settings_of_its_own(self):
        own = self.with_own('<cds:sink bucket="news" parts="7" tags="a b" public="yes"'
                            ' key_file="keys/id" secret="geheim" />')
        self.assertEqual(
            ('news', 7, ('a', 'b'), True, str(self.directory / 'keys' / 'id'), 'geheim'),
            (own.bucket, own.parts, own.tags, own.public, own.key_file, own.secret))

    def test_each_utility_may_have_some(self):
        self.load('<cds:feed name="dpa" %s><cds:connection key_file="~/k" /><cds:sink self="b" />'
                  '<cds:lock wait="1" /></cds:feed>' % LEAST)
        self.assertEqual(
            {'connection.key_file': '~/k', 'sink.self': 'b', 'lock.wait': '1'},
            zope.component.getUtility(IFeed, 'dpa').own)

    def test_mistakes_in_them_are_told(self):
        with self.assertRaisesRegex(ConfigurationError, 'sink.parts is wrong'):
            self.with_own('<cds:sink bucket="news" parts="many" />')
        for wrong, text in [
                ('<cds:spool bucket="news" />', 'spool'),
                ('<cds:sink bucket="a" /><cds:sink bucket="b" />',
                 'The setting sink.bucket is given twice')]:
            error = self.refused('<cds:feed name="dpa" %s>\n%s</cds:feed>' % (LEAST, wrong))
            self.assertIn(text, error)
            self.assertRegex(error, r'line 4|:4:')

    def test_two_feeds_of_one_name_conflict(self):
        twice = '<cds:feed name="dpa" %s />' % LEAST
        self.assertIn('Conflict', self.refused(twice + '\n' + twice))

    def test_two_feeds_of_different_names_do_not(self):
        self.load('<cds:feed name="dpa" %s /> <cds:feed name="reuters" %s />' % (LEAST, LEAST))
        self.assertEqual(
            {'dpa', 'reuters'}, {name for name, _ in zope.component.getUtilitiesFor(IFeed)}
        )

    def test_an_application_replaces_a_feed(self):
        self.write(
            '<cds:feed name="dpa" %s /> <cds:feed name="afp" %s />' % (LEAST, LEAST), 'others.zcml'
        )
        own = self.write('<cds:feed name="dpa" %s port="2121" />' % LEAST, 'own.zcml')
        xmlconfig.file(shutil.copy(APPLICATION, own.parent))
        self.assertEqual(2121, zope.component.getUtility(IFeed, 'dpa').port)
        self.assertEqual(21, zope.component.getUtility(IFeed, 'afp').port)

    def test_a_feed_never_shows_its_password(self):
        feed = self.feed(LEAST + ' password="geheim"')
        self.assertEqual('geheim', feed.password)
        self.assertNotIn('geheim', repr(feed) + str(feed))

    # ------------------------------------------------------------ feeds by name

    def test_feeds_of_a_file_are_found_by_name_and_direction(self):
        path = self.write('<cds:feed name="b" %s /> <cds:feed name="a" %s /> '
                          '<cds:feed name="c" direction="export" %s />' % (LEAST, LEAST, LEAST))
        self.assertEqual(['a', 'b'], [feed.name for feed in site.feeds(path, direction='import')])
        zope.component.testing.setUp()
        self.assertEqual(['a', 'b', 'c'], [feed.name for feed in site.feeds(path)])
        zope.component.testing.setUp()
        self.assertEqual(['b'], [feed.name for feed in site.feeds(path, ['b'], 'import')])

    def test_a_file_without_feeds_is_a_mistake(self):
        with self.assertRaisesRegex(
            ConfigurationError, 'declares no feed for the direction import'
        ):
            site.feeds(self.write(''), direction='import')

    def test_a_file_that_is_wrong_is_told_with_its_line(self):
        with self.assertRaisesRegex(ConfigurationError, r'(?s)site\.zcml.*port'):
            site.feeds(self.write('<cds:feed name="dpa" port="70000" %s />' % LEAST), ['dpa'])
        with self.assertRaisesRegex(ConfigurationError, 'missing.zcml'):
            site.feeds(self.directory / 'missing.zcml', ['dpa'])

    def test_import_feed_wants_a_feed_that_is_registered_for_imports(self):
        self.load('<cds:feed name="out" direction="export" %s />' % LEAST)
        with self.assertRaisesRegex(
            ConfigurationError, "No feed is registered under the name 'dpa'"
        ):
            main.import_feed('dpa')
        with self.assertRaisesRegex(ConfigurationError, 'is for the direction export, not import'):
            main.import_feed('out')
