"""Locks that do not lock, are not recognised, or stay."""
import threading
import time

from zeit.cds.testing.cases import case
from zeit.cds.testing.cases.run import start
from zeit.cds.testing.cases.stub import NoMLSD, Server, Session


class Meeting:
    """Two sessions come as far at once, or two seconds pass."""

    def __init__(self):
        self._barrier = threading.Barrier(2)
        self.stored = 0
        self.missed = False     # did one of them come too late?

    def wait(self):
        try:
            self._barrier.wait(2)
        except threading.BrokenBarrierError:
            self.missed = True


class MakesAnyDirectory(Session):
    """MKD answers 257 for a directory that exists; every second lock file takes 30 ms more."""

    def do_CWD(self, argument):
        if argument == '/':
            self.server.meeting.wait()
        super().do_CWD(argument)

    def do_MKD(self, argument):
        if '/' in argument:
            self.server.meeting.wait()
        self.store.dirs.add(self.path(argument))
        self.say('257 "%s"' % argument)

    def do_STOR(self, argument):
        if argument == 'read':
            self.server.meeting.stored += 1
            late = self.server.meeting.stored % 2 == 0
            data = self.receive()
            time.sleep(0.03 if late else 0)
            self.keep(argument, data)
            return self.say('226 done')
        super().do_STOR(argument)

    def do_RETR(self, argument):
        time.sleep(0.04)
        super().do_RETR(argument)


@case
def mkd_says_yes_to_a_directory_that_exists(case):
    """ftp-srv, rclone: the mutex keeps nobody out."""
    examine_races(case, MakesAnyDirectory)


def examine_races(case, kind, must_meet=False):
    """Two importers come at once, twice.

    must_meet -- does a race count only if they met each time? Else what is examined is the machine:
        who was held up for seconds between its look and its lock file can't be noticed by the other
    """
    twice = both = races = tries = 0
    while races < 2 and tries < 8:
        tries += 1
        server = Server(kind, {'%02d.xml' % n: b'a' * 1000 for n in range(10)})
        server.meeting, first = Meeting(), len(case.results)
        threads = [threading.Thread(target=case.run, args=(server, '--connections', '1'),
                                    kwargs={'timeout': 10})
                   for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if must_meet and server.meeting.missed:
            continue
        races += 1
        results = case.results[first:]
        names = [name for result in results for name in result.new]
        twice += len(names) - len(set(names))
        both += all('successfully created' in result.log for result in results)
    case.claim('they came at once', races == 2)
    case.claim('only one holds the lock at a time', both == 0)
    case.claim('no file is delivered twice (%d were)' % twice, twice == 0)


class MLSTKnowsNothing(Session):

    def do_MLST(self, argument):
        self.say('550 No such file or directory.')


@case
def mlst_knows_no_file(case):
    """uftpd: MLST is announced, and denies each file, while SIZE and MLSD work."""
    case.arrives(Server(MLSTKnowsNothing, {'a.xml': b'a' * 100, 'b.xml': b'b' * 300}),
                 'a.xml', 'b.xml')
    files = {'a.xml': b'a' * 100, 'read': b'in use by another program'}
    server = Server(MLSTKnowsNothing, files)
    case.claim("somebody else's lock is respected", case.run(server).status == 75)
    case.claim('and it stays, with the file', server.store.files == files)


class SIZEKnowsNothing(Session):

    def do_SIZE(self, argument):
        self.say('550 No such file or directory.')


@case
def size_knows_no_file(case):
    """The other way round."""
    case.arrives(Server(SIZEKnowsNothing, {'a.xml': b'a' * 100}), 'a.xml')
    files = {'a.xml': b'a' * 100, 'write': b'in use by another program'}
    server = Server(SIZEKnowsNothing, files)
    case.claim("somebody else's lock is respected", case.run(server).status == 75)
    case.claim('and it stays, with the file', server.store.files == files)


class Capitals(NoMLSD):

    features = 'SIZE', 'EPSV'

    def path(self, name):
        return super().path(name).upper()


@case
def names_in_capitals(case):
    """FAT, z/OS, VMS: our lock file is listed as READ, which is no article."""
    server = Server(Capitals, {'A.XML': b'a' * 100})
    result = case.arrives(server, 'A.XML')
    case.claim('no lock file is fetched', 'RETR READ' not in server.store.log)
    case.claim('our lock stays while we work', 'is not ours any more' not in result.log)
    case.emptied(server)


class Versions(NoMLSD):
    """VMS: a name that is listed ends with its version."""

    def path(self, name):
        return super().path(name).partition(';')[0]

    def names(self, directory):
        return super().names(directory).replace(b'\r\n', b';1\r\n')


@case
def lock_file_with_a_version(case):
    server = Server(Versions, {'a.xml': b'a' * 100})
    result = case.run(server)
    case.claim('no lock file is fetched or published',
               not {name for name in result.new if name.lower().startswith('read')})
    case.claim('our lock stays while we work', 'is not ours any more' not in result.log)


@case
def article_named_like_a_lock(case):
    """Elsewhere it would be one: it is left, and a person learns of it."""
    files = {'a.xml': b'a' * 100, 'Read': b'An article', 'WRITE;1': b'Another', 'read.xml': b'r'}
    server = Server(Session, files)
    result = case.run(server)
    case.claim('the others arrive', sorted(result.new) == ['a.xml', 'read.xml'])
    case.claim('these two stay', sorted(server.store.files) == ['Read', 'WRITE;1'])
    case.claim('a warning names them', all(
        'Not exchanged: %s: it would be taken for a lock file' % name in result.log
        for name in server.store.files))
    case.claim('the run is no success', result.status == 1)
    result = case.export(Server(Session), {'READ.': b'An article'})
    case.claim('nor is one exported', sorted(result.new) == ['READ.'] and result.status == 1)


class NamesOfFilesOnly(MakesAnyDirectory, NoMLSD):
    """NLST does not list the directories either; both have looked before either stores."""

    features = NoMLSD.features

    def do_MKD(self, argument):
        self.store.dirs.add(self.path(argument))
        self.say('257 "%s"' % argument)

    def do_STOR(self, argument):
        if argument == 'read':
            self.server.meeting.wait()
        super().do_STOR(argument)

    def names(self, directory):
        head = directory + '/' if directory else ''
        return b''.join(self.encode(name + '\r\n') for name in self.store.children(directory)
                        if head + name in self.store.files)


@case
def mkd_says_yes_and_directories_are_not_listed(case):
    """Nothing can be relied on but the lock file."""
    examine_races(case, NamesOfFilesOnly, must_meet=True)


class ListsFilesOnly(NoMLSD):
    """NLST has no directories in it."""

    def names(self, directory):
        head = directory + '/' if directory else ''
        return b''.join(self.encode(name + '\r\n') for name in self.store.children(directory)
                        if head + name in self.store.files)

    def do_STOR(self, argument):
        if not self.server.fast.is_set():
            self.server.fast.wait(30)
            return 'end'
        super().do_STOR(argument)


@case
def dead_owner_in_the_mutex_is_not_listed(case):
    server = Server(ListsFilesOnly, {'a.xml': b'a' * 100})
    server.fast = threading.Event()
    with start(server, case.spools.new()) as process:
        end = time.monotonic() + 10
        while time.monotonic() < end and not any('/' in path for path in server.store.dirs):
            time.sleep(0.002)
        process.kill()
    server.fast.set()
    server.store.files.pop('read', None)
    case.claim('a dead process has left its mutex', server.store.dirs)
    case.arrives(server, 'a.xml', timeout=5)


class NoData(Session):

    def do_STOR(self, argument):
        self.say('425 No connection established')

    do_RETR = do_NLST = do_MLSD = do_STOR


@case
def mutex_goes_without_data_connections(case):
    server = Server(NoData, {'a.xml': b'a' * 100})
    result = case.run(server)
    case.claim('the mutex is gone', not server.store.dirs)
    case.claim('the status is 69', result.status == 69)


class ShowsLater(Session):
    """What was stored shows a second later."""

    def do_STOR(self, argument):
        data, path = self.receive(), self.path(argument)
        threading.Timer(1, self.store.files.__setitem__, (path, data)).start()
        self.say('226 done')


@case
def stored_files_appear_later(case):
    """Servers before a cloud's storage."""
    server = Server(ShowsLater, {'a.xml': b'a' * 100})
    result = case.run(server, timeout=3)
    time.sleep(1.2)
    case.claim('the file arrives', sorted(result.new) == ['a.xml'])
    case.claim('no lock of ours stays', 'read' not in server.store.files)
    case.claim('nobody speaks of a foreign lock', 'It is foreign' not in result.log)


class StoresNothing(Session):

    def do_STOR(self, argument):
        self.receive()
        self.say('226 Transfer complete. Closing data connection.')


@case
def stored_files_never_appear(case):
    """LightFTP, when it cannot open the file."""
    server = Server(StoresNothing, {'a.xml': b'a' * 100})
    result = case.run(server)
    exported = case.export(server, {'x.xml': b'x' * 500})
    case.claim('the file stays there', server.store.files == {'a.xml': b'a' * 100})
    case.claim('the other one stays in new', sorted(exported.new) == ['x.xml'])
    case.claim("nobody speaks of somebody else's lock", 'already exists' not in result.log)
    case.claim('the status is not "locked", which nobody looks at', result.status != 75)
