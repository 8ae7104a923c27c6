"""Feeds and a journal in this process, and a Celery application whose broker is a real one."""
import contextlib
import os
import queue
import shutil
import tempfile

import celery
import zope.component
import zope.component.testing

from zeit.cds.feed import Feed
from zeit.cds.interfaces import IFeed, IJournal
from zeit.cds.journal.sql import SQLJournal
from zeit.cds.testing.layers import REDIS_LAYER, ServerTestCase
from zeit.cds.tests.importing import MEMORY, new_spool


class SiteCase(ServerTestCase):
    """`app` is the Celery application, `journal` the registered journal.

    `feed(name)` registers a feed whose server is a directory, `feed.ftp_dir`.
    """

    layer = REDIS_LAYER

    def setUp(self):
        zope.component.testing.setUp()
        self.addCleanup(zope.component.testing.tearDown)
        self.work = tempfile.mkdtemp(dir=MEMORY if os.access(MEMORY, os.W_OK) else None)
        self.addCleanup(shutil.rmtree, self.work)
        self.journal = SQLJournal(os.path.join(self.work, 'journal.db'))
        self.addCleanup(lambda: self.journal.database.close())
        zope.component.provideUtility(self.journal, IJournal)
        former = celery.current_app._get_current_object()
        self.addCleanup(former.set_current)
        self.app = celery.Celery('test', broker=self.server.url)
        self.app.set_current()
        self.app.conf.broker_connection_timeout = 1
        self.app.conf.broker_transport_options = {'max_retries': 1, 'interval_start': 0}
        self.addCleanup(self.app.close)

    def feed(self, name='dpa', **settings):
        directory = os.path.join(self.work, name)
        os.mkdir(directory)
        spool = new_spool()
        self.addCleanup(shutil.rmtree, spool)
        feed = Feed(**{**dict(name=name, store_dir=spool, hostname='localhost', user='nobody',
                              ftp_dir=directory, connection='file'), **settings})
        zope.component.provideUtility(feed, IFeed, name)
        return feed

    def messages(self, name='celery'):
        """What waits in a queue of the broker: a list of kombu.Message, acknowledged."""
        found = []
        with self.app.connection_for_read() as connection:
            with connection.SimpleQueue(name) as waiting:
                with contextlib.suppress(queue.Empty):
                    while True:
                        found.append(waiting.get_nowait())
                        found[-1].ack()
        return found


def put(feed, name, data=b'This is a file.'):
    with open(os.path.join(feed.ftp_dir, name), 'wb') as f:
        f.write(data)
