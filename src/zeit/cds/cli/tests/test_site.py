"""A ZCML file that is read anew."""
import tempfile
import threading
import unittest
from pathlib import Path

import zope.component
import zope.component.hooks
import zope.component.testing

from zeit.cds.cli.site import Site
from zeit.cds.events import FileImported, notify
from zeit.cds.feed import Feed
from zeit.cds.interfaces import ConfigurationError, IFeed, ILockFile
from zeit.cds.lock.lockfile import LockFile
from zeit.cds.registry import registered_feed, utility
from zeit.cds.tests.commands import SITE


HEARD = []
FEED = '<cds:feed name="%s" store_dir="/x" hostname="localhost" user="me" limit="%d" />\n'
SUBSCRIBER = ('<subscriber for="zeit.cds.interfaces.IFileImported"'
              ' handler="zeit.cds.cli.tests.test_site.hear" />')


def hear(event):
    HEARD.append(event.name)


class OtherLock(LockFile):
    pass


class Anew(unittest.TestCase):

    def setUp(self):
        zope.component.testing.setUp()
        self.addCleanup(zope.component.testing.tearDown)
        self.addCleanup(self.forget)
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = Path(directory.name, 'site.zcml')
        HEARD.clear()

    def forget(self):
        zope.component.getGlobalSiteManager().__bases__ = ()
        zope.component.hooks.resetHooks()

    def write(self, *body):
        self.path.write_text(SITE % ''.join(body))

    def read(self, names=None):
        """What the file says now counts; its feeds."""
        site = Site(str(self.path), names)
        registry, feeds = site.read()
        site.use(registry)
        return [(feed.name, feed.limit) for feed in feeds]

    def known(self):
        return {name for name, _ in zope.component.getUtilitiesFor(IFeed)}

    def told(self):
        HEARD.clear()
        notify(FileImported(Feed(store_dir='/x', hostname='h', user='u'), 'a.xml', None, 1))
        return HEARD

    def test_what_was_read_before_is_replaced(self):
        self.write(FEED % ('dpa', 1), FEED % ('afp', 1), SUBSCRIBER)
        self.assertEqual([('afp', 1), ('dpa', 1)], self.read())
        self.assertEqual(['a.xml'], self.told())
        self.write(FEED % ('dpa', 2), FEED % ('epd', 1), SUBSCRIBER)
        self.assertEqual([('dpa', 2), ('epd', 1)], self.read())
        self.assertEqual({'dpa', 'epd'}, self.known())
        self.assertEqual(2, registered_feed('dpa').limit)
        self.assertEqual(['a.xml'], self.told())
        self.write(FEED % ('dpa', 2))
        self.read()
        self.assertEqual([], self.told())

    def test_utilities_too(self):
        other = ('<utility factory="zeit.cds.cli.tests.test_site.OtherLock" name="other"'
                 ' provides="zeit.cds.interfaces.ILockFile" />')
        self.write(FEED % ('dpa', 1), other)
        self.read()
        self.assertIs(OtherLock, type(utility(ILockFile, 'other')))
        self.write(FEED % ('dpa', 1))
        self.read()
        with self.assertRaises(ConfigurationError):
            utility(ILockFile, 'other')
        self.assertIs(LockFile, type(utility(ILockFile)))

    def test_a_file_that_is_wrong_changes_nothing(self):
        self.write(FEED % ('dpa', 1), SUBSCRIBER)
        self.read()
        for body, text in (
                (FEED % ('dpa', 0), r'site\.zcml", line 4'),
                ('<cds:feed', r'site\.zcml'),
                (FEED % ('dpa', 1) + FEED % ('dpa', 2), r'site\.zcml", line 5'),
                ('<utility factory="zeit.cds.missing.Thing" />', r'site\.zcml", line 4'),
                ('', 'declares no feed')):
            with self.subTest(body):
                self.write(body)
                with self.assertRaisesRegex(ConfigurationError, text):
                    self.read()
                self.assertEqual({'dpa'}, self.known())
                self.assertEqual(1, registered_feed('dpa').limit)
                self.assertEqual(['a.xml'], self.told())

    def test_some_feeds_of_it(self):
        self.write(FEED % ('dpa', 1), FEED % ('afp', 1))
        self.assertEqual([('dpa', 1)], self.read(['dpa']))
        with self.assertRaisesRegex(ConfigurationError, "under the name 'epd'"):
            self.read(['dpa', 'epd'])

    def test_what_the_application_registered_itself_stays(self):
        mine = OtherLock()
        zope.component.provideUtility(mine, ILockFile)
        self.write(FEED % ('dpa', 1))
        for _ in range(2):
            self.read()
            self.assertIs(mine, utility(ILockFile))

    def test_other_threads_see_nothing_of_it_until_it_counts(self):
        self.write(FEED % ('dpa', 1))
        seen = []
        look = threading.Thread(target=lambda: seen.append(self.known()))
        site = Site(str(self.path))
        registry, _ = site.read()
        look.start()
        look.join()
        self.assertEqual([set()], seen)
        self.assertEqual(set(), self.known())
        site.use(registry)
        self.assertEqual({'dpa'}, self.known())
