"""A well-behaved FTP server in memory, which the cases make odd.

A case has its own verbs where its server answers otherwise: a method `do_VERB` for each.
"""
import contextlib
import socket
import socketserver
import threading
import time


DAY = 1_700_000_000         # seconds since 1970: when files were last changed
DATA_LIMIT = 20             # seconds until a data connection must have come
MANY = 65536                # bytes to read at once


class Store:
    """What the server holds, for all sessions.

    `files`  {path: bytes}; paths have no leading slash
    `times`  {path: seconds since 1970}, DAY for others
    `dirs`   set of paths
    `log`    the commands of all sessions, list of str
    """

    def __init__(self, files=()):
        self.files, self.times, self.dirs = dict(files), {}, set()
        self.log, self.lock = [], threading.RLock()

    def said(self, verb):
        """The commands of that verb, list of str."""
        return [line for line in self.log if line.split(' ')[0] == verb]

    def stamp(self, path):
        """The time of a file as MDTM and MLSD tell it."""
        return time.strftime('%Y%m%d%H%M%S', time.gmtime(self.times.get(path, DAY)))

    def facts(self, path):
        """Those of MLSD and MLST."""
        if path in self.dirs:
            return 'type=dir;modify=%s;' % self.stamp(path)
        return 'type=file;size=%d;modify=%s;' % (len(self.files[path]), self.stamp(path))

    def children(self, directory):
        """Names in a directory, list of str."""
        head = directory + '/' if directory else ''
        return sorted(path[len(head):] for path in [*self.files, *self.dirs]
                      if path.startswith(head) and '/' not in path[len(head):])


class Talk(socketserver.BaseRequestHandler):
    """The control connection: lines in, replies out."""

    greeting = '220 ready'

    @property
    def store(self):
        return self.server.store

    def setup(self):
        self.buffer, self.passive = b'', None
        self.cwd, self.offset, self.source = '', 0, None
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def handle(self):
        with contextlib.suppress(OSError):
            self.hello()
            while (line := self.line()) is not None:
                if self.obey(line) == 'end':
                    break

    def finish(self):
        if self.passive:
            self.passive.close()

    def hello(self):
        self.say(self.greeting)

    def obey(self, line):
        """Do one command; 'end' ends the session."""
        self.store.log.append(line)
        verb, _, argument = line.partition(' ')
        method = getattr(self, 'do_' + verb.upper(), None)
        return method(argument) if method else self.say('500 What is %s?' % verb)

    def line(self):
        """The next command, str; None at the end."""
        while b'\n' not in self.buffer:
            data = self.request.recv(MANY)
            if not data:
                return None
            self.buffer += data
        line, _, self.buffer = self.buffer.partition(b'\n')
        return self.decode(line.rstrip(b'\r'))

    def say(self, text):
        """A reply, one line of `text` for each of its lines."""
        self.request.sendall(self.encode(text.replace('\n', '\r\n') + '\r\n'))

    def decode(self, data):
        return data.decode('utf-8', 'surrogateescape')

    def encode(self, text):
        return text.encode('utf-8', 'surrogateescape')

    def path(self, name):
        """The path of what a client names."""
        return name.strip('/') if name.startswith('/') else (self.cwd + '/' + name).strip('/')


class Data:
    """Data connections."""

    def listen(self):
        """Open a port for one; returns it."""
        if self.passive:
            self.passive.close()
        self.passive = socket.create_server(('127.0.0.1', 0))
        self.passive.settimeout(DATA_LIMIT)
        return self.passive.getsockname()[1]

    def connection(self):
        """The data connection that comes."""
        connection, _ = self.passive.accept()
        self.passive.close()
        self.passive = None
        return connection

    def send_data(self, data, first='150 here it comes', last='226 done'):
        if self.passive is None:
            return self.say('425 PASV first')
        self.say(first)
        with contextlib.suppress(OSError), self.connection() as connection:
            connection.sendall(data)
        self.say(last)

    def receive(self):
        """What comes over a data connection, bytes; None if there is none."""
        if self.passive is None:
            return self.say('425 PASV first')
        self.say('150 go on')
        pieces = []
        with self.connection() as connection:
            while piece := connection.recv(MANY):
                pieces.append(piece)
        return b''.join(pieces)

    def names(self, directory):
        """What NLST sends."""
        return b''.join(self.encode(name + '\r\n') for name in self.store.children(directory))

    def entries(self):
        """What MLSD sends."""
        head = self.cwd + '/' if self.cwd else ''
        return b''.join(self.encode('%s %s\r\n' % (self.store.facts(head + name), name))
                        for name in self.store.children(self.cwd))


class Session(Talk, Data):
    """All that the program may ask for."""

    features = 'MDTM', 'SIZE', 'REST STREAM', 'EPSV', 'MLST type*;size*;modify*;'

    def do_USER(self, argument): self.say('331 password')           # noqa: E704
    def do_PASS(self, argument): self.say('230 in')                 # noqa: E704
    def do_TYPE(self, argument): self.say('200 ok')                 # noqa: E704
    def do_NOOP(self, argument): self.say('200 ok')                 # noqa: E704
    def do_PWD(self, argument): self.say('257 "/%s"' % self.cwd)    # noqa: E704

    def do_QUIT(self, argument):
        self.say('221 bye')
        return 'end'

    def do_FEAT(self, argument):
        self.say('211-Features\n%s211 End' % ''.join(' %s\n' % name for name in self.features))

    def do_CWD(self, argument):
        path = self.path(argument)
        if path and path not in self.store.dirs:
            return self.say('550 no such directory')
        self.cwd = path
        self.say('250 ok')

    def do_CDUP(self, argument):
        self.cwd = self.cwd.rpartition('/')[0]
        self.say('250 ok')

    def do_REST(self, argument):
        self.offset = int(argument)
        self.say('350 go on')

    # ------------------------------------------------------------ looking

    def do_SIZE(self, argument):
        data = self.store.files.get(self.path(argument))
        self.say('550 no such file' if data is None else '213 %d' % len(data))

    def do_MDTM(self, argument):
        path = self.path(argument)
        self.say('213 ' + self.store.stamp(path) if path in self.store.files
                 else '550 no such file')

    def do_MLST(self, argument):
        path = self.path(argument)
        if path not in self.store.files and path not in self.store.dirs:
            return self.say('550 no such file')
        self.say('250-Listing\n %s /%s\n250 End' % (self.store.facts(path), path))

    def do_NLST(self, argument):
        directory = self.path(argument) if argument else self.cwd
        self.send_data(b''.join(
            line for line in self.names(directory).splitlines(True)
            if argument or not line.startswith(b'.')))

    def do_MLSD(self, argument):
        self.send_data(self.entries())

    # ------------------------------------------------------------ changing

    def do_MKD(self, argument):
        path = self.path(argument)
        with self.store.lock:
            if path in self.store.dirs or path in self.store.files:
                return self.say('550 exists')
            self.store.dirs.add(path)
        self.say('257 "/%s"' % path)

    def do_RMD(self, argument):
        path = self.path(argument)
        if path not in self.store.dirs or self.store.children(path):
            return self.say('550 no')
        self.store.dirs.discard(path)
        self.say('250 ok')

    def do_DELE(self, argument):
        gone = self.store.files.pop(self.path(argument), None)
        self.say('550 no such file' if gone is None else '250 ok')

    def do_RNFR(self, argument):
        self.source = self.path(argument)
        self.say('350 go on' if self.source in self.store.files else '550 no such file')

    def do_RNTO(self, argument):
        if self.source not in self.store.files:
            return self.say('503 RNFR first')
        self.store.files[self.path(argument)] = self.store.files.pop(self.source)
        self.say('250 ok')

    # ------------------------------------------------------------ transfers

    def do_EPSV(self, argument):
        self.say('229 ok (|||%d|)' % self.listen())

    def do_PASV(self, argument):
        self.say('227 ok (127,0,0,1,%d,%d)' % divmod(self.listen(), 256))

    def do_RETR(self, argument):
        data = self.store.files.get(self.path(argument))
        if data is None:
            return self.say('550 no such file')
        offset, self.offset = self.offset, 0
        self.send_data(data[offset:])

    def do_STOR(self, argument):
        if (data := self.receive()) is not None:
            self.keep(self.path(argument), data)
            self.say('226 done')

    def keep(self, path, data):
        """Store the data of a STOR."""
        offset, self.offset = self.offset, 0
        self.store.files[path] = self.store.files.get(path, b'')[:offset] + data
        self.store.times[path] = int(time.time())


class NoMLSD(Session):
    """The same without MLSD and MLST."""

    features = 'MDTM', 'SIZE', 'EPSV'

    def do_MLST(self, argument):
        self.say('500 What?')

    do_MLSD = do_MLST


class Server(socketserver.ThreadingTCPServer):
    """Sessions of a class on a port that the system chose."""

    allow_reuse_address = daemon_threads = True
    block_on_close = False

    def __init__(self, session, files=(), dirs=()):
        super().__init__(('127.0.0.1', 0), session)
        self.store, self.port = Store(files), self.server_address[1]
        self.store.dirs.update(dirs)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def stop(self):
        """Nobody can connect any more."""
        self.shutdown()
        self._thread.join()
        self.server_close()
