"""What tests on sshd have in common."""
from zeit.cds.feed import Feed
from zeit.cds.own import configured
from zeit.cds.sftp.session import SFTPConnection
from zeit.cds.testing.contracts.directory import LocalDirectory
from zeit.cds.testing.layers import SSHD_LAYER
from zeit.cds.testing.process import free_port


def settings_for(server, **settings):
    """The settings with which a feed reaches an SSHD by its key, and by nothing of this machine's
    user: a dict."""
    return {**{
        'store_dir': '', 'hostname': server.host, 'port': server.port, 'user': server.user,
        'password': '', 'ftp_dir': server.directory, 'connection': 'sftp', 'timeout': 20,
        'connection.known_hosts': server.known_hosts, 'connection.identity': server.identity,
        'connection.ssh_config': 'none'}, **settings}


def feed_for(server, **settings):
    """A feed whose settings of its own were checked."""
    return configured(Feed(**settings_for(server, **settings)), {'connection': SFTPConnection()})


class OnSSHD:
    """See SessionCase."""

    layer = SSHD_LAYER
    connection = SFTPConnection()

    @property
    def directory(self):
        return LocalDirectory(self.server.directory)

    @property
    def unreachable(self):
        return {'port': free_port()}

    def feed(self, **settings):
        if 'password' in settings:
            settings.setdefault('connection.identity', None)
        return feed_for(self.server, **settings)
