"""For tests: a sink that has settings of its own."""
import zope.interface
import zope.schema

from zeit.cds.interfaces import Path
from zeit.cds.spool.inbox import FileSink


class IBucket(zope.interface.Interface):
    """Where in the store the files go."""

    bucket = zope.schema.TextLine(title='Bucket')
    region = zope.schema.Choice(title='Region', values=('eu', 'us'), default='eu')
    parts = zope.schema.Int(title='Parts', min=1, default=4)
    wait = zope.schema.Float(title='Wait', default=1.5)
    public = zope.schema.Bool(title='Is it for all?', default=False)
    tags = zope.schema.Tuple(
        title='Tags', value_type=zope.schema.TextLine(), default=(), required=False)
    key_file = Path(title='Key file', default=None, required=False)
    secret = zope.schema.Password(title='Secret', default=None, required=False)

    @zope.interface.invariant
    def us_is_private(own):
        if own.public and own.region == 'us':
            raise zope.interface.Invalid('us is private.')


class BucketSink(FileSink):
    """A FileSink that keeps, and prints, what it was told."""

    settings = IBucket

    def open(self, feed):
        self.own = feed.of('sink')
        print(self.own.bucket, self.own.region, self.own.key_file)
        return super().open(feed)
