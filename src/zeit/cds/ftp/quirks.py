"""What FTP servers bear and lack: by their greeting, and by what a run has found out.

RFC 959 lets a client send one command at a time. Nearly all servers read several, some look at
more than one at once, and how they do that decides what may be sent before its turn. That has
been measured (vsftpd 3.0.3, ProFTPD 1.3.8, Pure-FTPd 1.0.50, pyftpdlib 2.2), and a server that is
not known gets nothing before its turn.
"""
from typing import NamedTuple


PIPELINING_FAILURES = 3     # so many transfers of a run may fail for what was sent before its turn
WAYS = 'EPRT', 'PORT', 'EPSV', 'PASV'   # to a data connection; one that is refused is not asked
PASSIVE = WAYS.index('EPSV')            # for again. From here on it's us who connect


class Quirks(NamedTuple):
    """What a kind of server is known to bear or to lack: nothing by default."""

    # The data of an upload may be sent before it read STOR.
    data_before_stor: bool = False
    # Commands may be in one write with the STOR or RETR before them: it does not look at them
    # before the transfer's end, if it has read them together.
    batch_with_transfer: bool = False
    # Commands may come while a RETR is underway, provided that all of its data are, too.
    batch_during_retr: bool = False
    # STOR may be sent before there is a data connection.
    stor_before_connection: bool = False
    # RETR may be in one write with the EPRT or PORT before it.
    retr_with_eprt: bool = False
    # Commands may be sent after the data of an upload, before it acknowledged that.
    batch_before_ack: bool = False
    # It takes 0xff for Telnet's IAC, so that it has to be doubled (RFC 854).
    telnet: bool = False
    # It loses data connections that it opens itself, if there are several.
    loses_active: bool = False
    # It refuses a login only when it has answered what came with the password.
    refuses_late: bool = False
    # It is known how it refuses a login, so that other commands may come with the password.
    commands_with_pass: bool = False
    # We know it.
    known: bool = False
    # It reads several commands that come in one write, in their order. Others have to show that.
    pipelining: bool = False
    # The host in its reply to PASV counts: it is behind two addresses.
    pasv_host: bool = False
    # Its MKD proves nothing: no mutex is made of it.
    no_mutex: bool = False
    # It has to be told that names are UTF-8 (OPTS UTF8 ON).
    utf8: bool = False


# pyftpdlib would wait for ever, should data overtake their STOR, or a RETR the connection that
# EPRT asks for. The others answer STOR and RETR only when they have a data connection. vsftpd
# acknowledges an upload only when it knows that we know that it has closed the connection, and
# reads no command while data come; what comes then, Pure-FTPd throws away, and pyftpdlib breaks
# the transfer for.
_QUEUEING = Quirks(data_before_stor=True, batch_with_transfer=True, retr_with_eprt=True,
                   commands_with_pass=True, pipelining=True, known=True)
BY_GREETING = {
    'vsFTPd': _QUEUEING._replace(batch_before_ack=True),
    'ProFTPD': _QUEUEING._replace(telnet=True),
    'Pure-FTPd': _QUEUEING,
    'pyftpdlib': Quirks(stor_before_connection=True, batch_during_retr=True, loses_active=True,
                        refuses_late=True, commands_with_pass=True, pipelining=True, known=True),
}

# The heirs of BSD's ftpd have to show what they bear, but all take 0xff for IAC.
BY_GREETING.update(dict.fromkeys((
    'GNU inetutils', 'NetBSD-ftpd', 'Version 6.00LS', 'SunOS', 'Version wu-', 'Digital UNIX',
    'heimdal'), Quirks(telnet=True)))

# The words of the setting `quirks`: what they change in Quirks, and which verb they deny.
BY_WORD = {
    'no-pipelining': {'pipelining': False},
    'pasv-host': {'pasv_host': True},
    'tls12': {},        # this matters before the greeting
    'no-mutex': {'no_mutex': True},
    'telnet': {'telnet': True},
    'no-telnet': {'telnet': False},
    'utf8': {'utf8': True},
}
LACKED = {
    'no-epsv': 'EPSV',
    'no-mlsd': 'MLSD',
    'no-mlst': 'MLST',
    'no-size': 'SIZE',
}


def by_greeting(text, words=()):
    """The Quirks of a server that greets so (str).

    words -- the feed's `quirks`, which outweigh the greeting
    """
    found = next((quirks for name, quirks in BY_GREETING.items() if name in text), Quirks())
    return found._replace(**{
        name: value for word in words for name, value in BY_WORD.get(word, {}).items()})


class Findings:
    """What the sessions of a run found out about their server. They share one."""

    __slots__ = ('address', 'agreed', 'cautious', 'failures_left', 'lacks', 'latency', 'missing',
                 'nlst', 'one_at_a_time', 'reached', 'seen', 'sizes_directories', 'told', 'utf8',
                 'wants_password', 'way')

    def __init__(self, active=False, words=()):
        """
        active -- is the server asked to open the data connections, to begin with? bool
        words -- the feed's `quirks`
        """
        self.address = None         # family and address of the server, once it was reached
        self.agreed = False         # has it opened data connections to us?
        # Did a connection that was begun in advance come to nothing? Then each is arranged for by
        # itself: there are firewalls that see its port only in a packet that begins with that
        # reply.
        self.cautious = False
        self.failures_left = PIPELINING_FAILURES
        # Verbs that it does not know, or that are of no use with it.
        self.lacks = {LACKED[word] for word in words if word in LACKED}
        self.latency = 0.0          # seconds to the server and back
        # Replies (verb, code, text without the name) that mean that there is no such file, as 450
        # does with some.
        self.missing = set()
        self.nlst = 0               # index in lister.NLST: how names are to be asked for
        # Does it get one command at a time? None: that has still to be found out.
        self.one_at_a_time = True if 'no-pipelining' in words else None
        self.reached = False        # has a data connection come about in this way?
        self.seen = set()           # of SIZE, MLST: what has known a file
        self.sizes_directories = None   # does SIZE take a directory for a file? None: not known
        self.told = set()           # what a person was told of once: texts
        self.utf8 = False           # is it to be told, each time, that names are UTF-8?
        self.wants_password = False
        self.way = 0 if active else PASSIVE     # index in WAYS
        if not active and ('EPSV' in self.lacks or 'pasv-host' in words):
            self.way += 1

    @property
    def passive(self):
        """Is it us who connect? bool"""
        return self.way >= PASSIVE

    @property
    def may_pipeline(self):
        """May anything be sent before its turn, where the server is known to bear it? bool"""
        return self.failures_left > 0 and not self.one_at_a_time

    def lack(self, verb):
        """The server does not know this verb, or does not bear it."""
        self.lacks.add(verb)
        if verb == 'EPSV' and WAYS[self.way] == verb:
            self.way += 1

    def pipelining_failed(self):
        """The server did not bear it this once."""
        self.failures_left -= 1

    def stop_pipelining(self):
        """A session was lost, and this may be why."""
        self.failures_left = 0
