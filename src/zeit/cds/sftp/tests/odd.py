"""An SFTP server with oddities, which real ones have or are allowed to have. It carries no SSH: a
session talks to it over a pair of sockets.
"""
import os
import socket
import stat
import struct
import threading

import zope.interface

from zeit.cds.interfaces import ConnectionLost, ICDSConnection
from zeit.cds.net.stream import Stream
from zeit.cds.sftp import packets
from zeit.cds.sftp.batch import Place
from zeit.cds.sftp.channel import Channel
from zeit.cds.sftp.session import SFTPSession
from zeit.cds.sftp.tuning import TUNING


CODES = {FileNotFoundError: packets.NO_SUCH_FILE, PermissionError: packets.PERMISSION_DENIED}


class Odd:
    """What is odd about it; each is as with OpenSSH unless given.

    most -- bytes that a READ brings, whatever was asked for
    backwards -- so many requests are answered at a time, the last one first
    silent -- STATUS has no message, as before version 3
    bare -- listings tell names only
    extensions -- {name: value}, bytes
    failing -- {type of request: code}: these fail
    handles -- so many may be open
    once -- a file is gone once it was opened
    locks -- what is open is neither removed nor renamed
    hangs_up -- after so many requests it ends the connection, in the middle of a reply
    """

    def __init__(self, most=2**18, backwards=1, silent=False, bare=False, extensions=(),
                 failing=(), handles=1000, once=False, locks=False, hangs_up=None):
        self.most, self.backwards, self.silent, self.bare = most, backwards, silent, bare
        self.extensions, self.failing = dict(extensions), dict(failing)
        self.handles, self.once, self.locks, self.hangs_up = handles, once, locks, hangs_up


class Server(threading.Thread):
    """One connection."""

    def __init__(self, sock, odd):
        super().__init__(daemon=True)
        self._socket, self.odd = sock, odd
        self._handles, self._file = {}, sock.makefile('rb')
        self._opened_ever = 0
        self._paths = {}        # of files that are open: {handle: path}
        self.kinds = []         # of the requests that came

    def run(self):
        with self._socket, self._file:
            try:
                self._serve()
            except OSError:
                pass
            finally:
                self.left_open = len(self._handles)
                for handle in self._handles.values():
                    if isinstance(handle, int):
                        os.close(handle)

    def _serve(self):
        self._next()
        body = b''.join(packets.text(key) + packets.text(value)
                        for key, value in self.odd.extensions.items())
        self._socket.sendall(struct.pack('>IBI', 5 + len(body), packets.VERSION, 3) + body)
        replies = []
        while (request := self._next()) is not None:
            kind, body = request
            self.kinds.append(kind)
            number, = struct.unpack_from('>I', body)
            answer, reply = self._answer(kind, packets.Reader(body[4:]))
            replies.append(packets.packet(answer, number, reply))
            if self.odd.hangs_up is not None and len(self.kinds) > self.odd.hangs_up:
                return self._socket.sendall(replies.pop()[:7])
            if len(replies) >= self.odd.backwards or not self._more():
                self._socket.sendall(b''.join(reversed(replies)))
                replies = []

    def _next(self):
        head = self._file.read(5)
        if len(head) < 5:
            return None
        length, kind = struct.unpack('>IB', head)
        return kind, self._file.read(length - 1)

    def _more(self):
        """Has another request come? bool"""
        self._socket.settimeout(0.002)
        try:
            return bool(self._file.peek(1))
        except TimeoutError:
            # a file of a socket is of no use after a timeout
            self._file = self._socket.makefile('rb')
            return False
        finally:
            self._socket.settimeout(None)

    def _answer(self, kind, reader):
        if kind in self.odd.failing:
            return self._status(self.odd.failing[kind])
        try:
            return getattr(self, '_%d' % kind, self._unknown)(reader) or self._status(packets.OK)
        except OSError as e:
            return self._status(CODES.get(type(e), packets.FAILURE), str(e))

    def _status(self, code, message='It failed.'):
        text = b'' if self.odd.silent else packets.text(message.encode()) + packets.text(b'')
        return packets.STATUS, packets.NUMBER.pack(code) + text

    def _unknown(self, reader):
        return self._status(packets.UNSUPPORTED)

    def _opened(self, handle):
        self._opened_ever += 1
        name = b'%d' % self._opened_ever
        self._handles[name] = handle
        return packets.HANDLE, packets.text(name)

    @staticmethod
    def _attributes(status):
        return (packets.NUMBER.pack(packets.SIZE | packets.PERMISSIONS | packets.TIMES)
                + packets.LARGE_NUMBER.pack(status.st_size) + struct.pack(
                    '>III', status.st_mode, int(status.st_atime), int(status.st_mtime)))

    def _check_room(self):
        if len(self._handles) >= self.odd.handles:
            raise OSError('Too many open files')

    def _unlocked(self, path):
        if self.odd.locks and path in self._paths.values():
            raise OSError('Another process uses the file.')
        return path

    # ------------------------------------------------------------ requests, by their types

    def _3(self, reader):
        path, flags = reader.text(), reader.number()
        mode = os.O_RDONLY if flags & packets.FOR_READING else os.O_WRONLY
        if flags & packets.CREATE:
            mode |= os.O_CREAT | os.O_TRUNC
        self._check_room()
        opened = os.open(path, mode, 0o666)
        if self.odd.once and mode == os.O_RDONLY:
            os.unlink(path)
        reply = self._opened(opened)
        self._paths[b'%d' % self._opened_ever] = path
        return reply

    def _4(self, reader):
        name = reader.text()
        self._paths.pop(name, None)
        if isinstance(handle := self._handles.pop(name), int):
            os.close(handle)

    def _5(self, reader):
        handle, (offset, length) = reader.text(), reader.take(packets.PART)
        data = os.pread(self._handles[handle], min(length, self.odd.most), offset)
        return (packets.DATA, packets.text(data)) if data else self._status(packets.END)

    def _6(self, reader):
        handle, offset = reader.text(), reader.large_number()
        os.pwrite(self._handles[handle], reader.view(), offset)

    def _7(self, reader):
        return packets.ATTRS, self._attributes(os.lstat(reader.text()))

    def _8(self, reader):
        return packets.ATTRS, self._attributes(os.fstat(self._handles[reader.text()]))

    def _10(self, reader):
        os.ftruncate(self._handles[reader.text()], reader.attributes().size)

    def _11(self, reader):
        path = reader.text()
        self._check_room()
        return self._opened([(name, os.path.join(path, name)) for name in os.listdir(path)])

    def _12(self, reader):
        names = self._handles[reader.text()]
        some, names[:] = names[:7], names[7:]
        if not some:
            return self._status(packets.END)
        return packets.NAME, packets.NUMBER.pack(len(some)) + b''.join(
            packets.text(name) + packets.text(b'') + (
                packets.NO_ATTRIBUTES if self.odd.bare else self._attributes(os.lstat(path)))
            for name, path in some)

    def _13(self, reader):
        path = self._unlocked(reader.text())
        if stat.S_ISDIR(os.lstat(path).st_mode):
            raise OSError('This is a directory.')
        os.unlink(path)

    def _14(self, reader):
        os.mkdir(reader.text())

    def _15(self, reader):
        os.rmdir(reader.text())

    def _17(self, reader):
        return packets.ATTRS, self._attributes(os.stat(reader.text()))

    def _18(self, reader):
        source, target = self._unlocked(reader.text()), reader.text()
        if os.path.lexists(target):
            raise OSError('There is something.')
        os.rename(source, target)


class Carrier:
    """In place of an SSH."""

    said = ''

    def __init__(self, sock, server=None):
        self._socket, self._server = sock, server

    def explain(self, error):
        return ConnectionLost(str(error))

    def close(self):
        self._socket.close()
        if self._server is not None:
            self._server.join()


@zope.interface.implementer(ICDSConnection)
class OddConnection:
    """Sessions with such servers; `servers` are those that were started."""

    needs_password = False

    def __init__(self, odd, tuning=TUNING):
        self._odd, self._tuning, self.servers = odd, tuning, []

    def open(self, feed, deadline, like=None):
        ours, theirs = socket.socketpair()
        server = Server(theirs, self._odd)
        server.start()
        self.servers.append(server)
        ours.setblocking(False)
        session = SFTPSession(Channel(Stream(ours, feed.timeout, deadline), Carrier(ours, server)),
                              Place(feed.ftp_dir), self._tuning)
        session.begin()
        return session
