"""What goes wrong in a run, and how it is called."""


class CDSError(Exception):
    """Whatever goes wrong in a run; its text (and notes) tell a person what to do next."""


class ConfigurationError(CDSError, ValueError):
    """A setting is wrong or contradicts another. Raised at once, never merely logged."""


class Locked(CDSError):
    """Somebody else works in the directory or in the spool. A normal outcome: the next run tries again."""


class SpoolError(CDSError):
    """The spool can't be used: missing, read-only, full, or broken."""


class FileRefused(SpoolError):
    """The spool does not take this one file: its name or its size does not suit it; others may follow.

    `incoming`: the IIncoming that it is about; None where there is none yet.
    """

    incoming = None


class Unreadable(SpoolError):
    """One file of the spool can't be read: it vanished, or is none, or the permission is missing."""


class FTPError(CDSError):
    """The server or the network failed."""


class ConnectionLost(FTPError):
    """The control connection is gone or no longer of use: reset, closed, silent for too long. A new session may work.

    `at_once`, bool: the session worked in a way that the server does not bear, and which no other session of this run will
    use again. So the same may be tried on a new session without a pause, and counts as no failure.
    """

    at_once = False


class ProtocolError(ConnectionLost):
    """The server sent what RFC 959 does not allow, so that nothing more can be believed on this connection."""


class ReplyError(FTPError):
    """The server answered with an error; `reply` is an `IReply` or None."""

    reply = None

    @classmethod
    def of(cls, reply):
        """The fitting exception for a reply: TemporaryError (4yz), PermanentError (5yz), else ProtocolError."""
        kind = {4: TemporaryError, 5: PermanentError}.get(reply.code // 100, ProtocolError)
        error = kind(str(reply))
        error.reply = reply
        return error


class TemporaryError(ReplyError):
    """Transient negative reply, 4yz (RFC 959, 4.2.1), or a data connection that failed: trying again may help."""


class Unreachable(ConnectionLost):
    """No connection could be made at all: name unknown, port closed, no route."""


class PermanentError(ReplyError):
    """Permanent negative reply, 5yz (RFC 959, 4.2.1): trying the same again won't help."""


class NotSupported(PermanentError):
    """The server does not know such a verb at all (500, 502 to 504)."""


class LoginRefused(PermanentError):
    """The server did not accept user and password (530)."""


class UntrustedServer(FTPError):
    """TLS is demanded but not to be had, or the certificate can't be verified. Never tried again, never downgraded."""


class RunLimitReached(CDSError):
    """The run took longer than the feed's `run_limit`."""


class Interrupted(CDSError):
    """The run was asked to stop (SIGTERM, SIGINT)."""
