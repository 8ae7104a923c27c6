"""What tests on servers have in common."""
from zeit.cds.feed import Feed
from zeit.cds.own import configured
from zeit.cds.sftp.session import SFTPConnection
from zeit.cds.testing.contracts.directory import LocalDirectory
from zeit.cds.testing.process import free_port


def feed_for(server, **settings):
    """A feed that reaches a Server, whose settings of its own were checked."""
    return configured(Feed(**{'store_dir': '', 'timeout': 20, **server.feed, **settings}),
                      {'connection': SFTPConnection()})


class OnServer:
    """See SessionCase."""

    connection = SFTPConnection()

    @property
    def directory(self):
        return LocalDirectory(self.server.directory)

    @property
    def unreachable(self):
        return {'port': free_port()}

    def feed(self, **settings):
        return feed_for(self.server, **settings)
