"""A very small CMS: an article for each file that arrived.

    pip install "zeit.cds[celery,postgresql]" "celery[redis]" z3c.celery ZEO
    export CELERY_CONFIG_FILE=/srv/newsroom/celeryconfig.py CDS_ZCML=/srv/newsroom/feeds.zcml
    runzeo -a localhost:8100 -f /srv/newsroom/Data.fs
    celery -A z3c.celery:CELERY worker --without-gossip --without-mingle
    celery -A z3c.celery:CELERY beat
"""
import os

import persistent
import z3c.celery
import zope.component.hooks
import zope.container.btree
import zope.container.contained


class Article(persistent.Persistent, zope.container.contained.Contained):

    def __init__(self, feed, name, data):
        self.feed, self.name, self.data = feed, name, data


@z3c.celery.task(name='newsroom.arrived', acks_late=True)
def arrived(key, feed, name, spool, **_):
    """Take the file, and make an article of it.

    The task may come more than once: the key tells. Taking the file is one rename, to a name that
    no other version of it has; whoever dies between that and the commit finds it there.
    """
    root = zope.component.hooks.getSite()
    if 'articles' not in root:
        root['articles'] = zope.container.btree.BTreeContainer()
    if key in root['articles']:
        return
    taken = os.path.join(spool, 'cur', key)
    if not os.path.exists(taken):
        os.rename(os.path.join(spool, 'new', name), taken)
    with open(taken, 'rb') as f:
        root['articles'][key] = Article(feed, name, f.read())
