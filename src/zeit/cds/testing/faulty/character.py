"""The known characters of FTP servers, for
:class:`~zeit.cds.testing.faulty.FaultyServer`.

Each is a row of data: what vsftpd 3.0, ProFTPD 1.3.8, Pure-FTPd 1.0 and
pyftpdlib 2 were seen to do differently from each other.
"""

from typing import NamedTuple


class Character(NamedTuple):
    """How a server behaves where servers differ.

    Texts are replies; `{name}` in them stands for the argument.
    """

    greeting: str = '220 FTP server ready.'
    #: Has MLSD and MLST.
    mlsd: bool = True
    facts: tuple = ('type', 'size', 'modify')
    #: MLSD lists the directory itself and its parent, as cdir and pdir.
    mlsd_dots: bool = False
    #: NLST lists ``.`` and ``..``.
    nlst_dots: bool = False
    #: NLST and LIST leave away names that begin with a dot.
    hides_dotfiles: bool = False
    #: The answer to NLST of a missing directory; None for an empty listing.
    missing_nlst: str = '550 No such directory.'
    missing_mlsd: str = '550 No such directory.'
    #: A listing ends silently after so many entries, with `truncated`.
    limit: int = None
    truncated: str = '226 Output truncated to {limit} matches'
    size_in_ascii: bool = True
    #: What happens to a command that arrives while a transfer runs:
    #: ``queue`` it, ``swallow`` it with a 500, or ``run`` it at once.
    meanwhile: str = 'queue'
    #: What of an upload may come before it is due: ``data``, which may even
    #: come before STOR; or ``STOR``, before there is a data connection, and
    #: then it is answered at once.
    early: str = None
    #: The 226 waits until the client has closed the data connection.
    holds_226: bool = False
    complete: str = '226 Transfer complete.'
    #: The client closed the data connection before its end.
    early_close: str = '426 Connection closed; transfer aborted.'
    #: The file got shorter while it was sent.
    shrunk: str = '451 The file shrank while it was sent.'
    #: The answer to RETR after REST beyond the end; None for an empty file.
    rest_beyond: str = '554 Invalid REST parameter.'
    login_failed: str = '530 Login incorrect.'
    #: A password is refused only after the commands that came with it.
    refuses_late: bool = False
    cwd_failed: str = '550 No such file or directory.'
    dele_failed: str = '550 No such file or directory.'
    #: TLS data connections must resume the control connection's session,
    #: else they get this answer; None where they needn't.
    reuse: str = None
    #: Telnet's \\xff is interpreted: the client has to double it.
    telnet: bool = False


CHARACTERS = {
    'plain': Character(),
    'vsftpd': Character(
        greeting='220 (vsFTPd 3.0.3)', mlsd=False, hides_dotfiles=True,
        missing_nlst=None, early='data', holds_226=True, rest_beyond=None,
        early_close='426 Failure writing network stream.',
        shrunk='426 Failure writing network stream.',
        cwd_failed='550 Failed to change directory.',
        dele_failed='550 Delete operation failed.',
        reuse='522 SSL connection failed: session reuse required.'),
    'proftpd': Character(
        greeting='220 ProFTPD Server ready.',
        facts=('modify', 'perm', 'size', 'type', 'unique'), mlsd_dots=True,
        hides_dotfiles=True, missing_nlst='450 {name}: No such file',
        missing_mlsd='550 {name}: No such file or directory',
        size_in_ascii=False, early='data', holds_226=True,
        early_close='426 Transfer aborted. Data connection closed',
        shrunk='226 Transfer complete', complete='226 Transfer complete',
        cwd_failed='550 {name}: No such file or directory',
        dele_failed='550 {name}: No such file or directory',
        reuse='425 Unable to build data connection: '
              'Operation not permitted', telnet=True),
    'pure-ftpd': Character(
        greeting='220---------- Welcome to Pure-FTPd ----------\r\n'
                 '220 You will be disconnected after 15 minutes.',
        facts=('type', 'size', 'modify', 'unique'), mlsd_dots=True,
        nlst_dots=True, limit=10000, meanwhile='swallow', early='data',
        missing_nlst="550 Can't open that directory",
        complete='226-File successfully transferred\r\n'
                 '226 0.001 seconds (measured here), 1.00 Mbytes per second',
        early_close='150 0.001 seconds (measured here)',
        shrunk='451 Error while reading the file',
        login_failed='530 Login authentication failed',
        cwd_failed="550 Can't change directory to {name}: "
                   'No such file or directory',
        dele_failed='550 Could not delete {name}: '
                    'No such file or directory'),
    'pyftpdlib': Character(
        greeting='220 pyftpdlib ready.', meanwhile='run', early='STOR',
        facts=('type', 'perm', 'size', 'modify', 'unique'),
        missing_mlsd='501 No such directory.', size_in_ascii=False,
        early_close='426 Connection closed; transfer aborted.',
        shrunk='226 Transfer complete.',
        login_failed='530 Authentication failed.', refuses_late=True),
}
