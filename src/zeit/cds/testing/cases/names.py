"""Names under which files are stored, and those under which they are then there."""
import unicodedata

from zeit.cds.testing.cases import case
from zeit.cds.testing.cases.stub import Server, Session


class NoDotNames(Session):

    def do_MKD(self, argument):
        if argument.startswith('.'):
            return self.say('553 Prohibited directory name.')
        super().do_MKD(argument)

    def do_STOR(self, argument):
        if argument.startswith('.'):
            return self.say('553 Prohibited file name: %s' % argument)
        super().do_STOR(argument)


@case
def names_with_a_dot_are_refused(case):
    server = Server(NoDotNames, {'a.xml': b'a' * 100})
    case.arrives(server, 'a.xml')
    files = {'x.xml': b'x' * 500, 'y.xml': b'y'}
    result = case.export(server, files)
    case.claim('both files are there', server.store.files == files)
    case.claim('the status is 0', result.status == 0)


class Replaces(Session):
    """STOR keeps a file under another name, and says so at best."""

    def keep(self, path, data):
        super().keep(path.replace(' ', '_'), data)


@case
def stored_under_another_name(case):
    server = Server(Replaces)
    result = case.export(server, {'a b.xml': b'x' * 500})
    case.claim('the status is not 0', result.status != 0)
    case.claim('the file waits in new', sorted(result.new) == ['a b.xml'])
    case.emptied(server)


class RenamesOntoNothing(Session):
    """aioftp: RNTO onto a name that is there."""

    def do_RNTO(self, argument):
        if self.path(argument) in self.store.files:
            return self.say('550 path already exists')
        super().do_RNTO(argument)


@case
def rename_onto_an_existing_name_is_refused(case):
    server = Server(RenamesOntoNothing, {'a.xml': b'older'})
    result = case.export(server, {'a.xml': b'new', 'b.xml': b'b'})
    case.claim('without `replace` it waits', sorted(result.new) == ['a.xml'])
    case.claim('and the older one stays',
               server.store.files == {'a.xml': b'older', 'b.xml': b'b'})
    replaced = case.run(server, '--replace', files={'a.xml': b'newer'}, verb='export')
    case.claim('with it, it takes the other\'s place',
               server.store.files == {'a.xml': b'newer', 'b.xml': b'b'})
    case.claim('the status is 0', replaced.status == 0)
    case.claim('it was sent once', not [line for line in server.store.said('STOR')
                                        if line == 'STOR a.xml'])


class Folds(Session):
    """Names that differ in case, or in how an accent is written, are one."""

    def path(self, name):
        path = super().path(name)
        same = {_folded(each): each for each in [*self.store.files, *self.store.dirs]}
        return same.get(_folded(path), path)


def _folded(name):
    return unicodedata.normalize('NFC', name.casefold())


@case
def names_that_fold(case):
    accented = [unicodedata.normalize(form, 'Müller.xml') for form in ('NFC', 'NFD')]
    for names in ('Flash.xml', 'flash.xml'), accented:
        for connections in '1', '4':
            files = {name: name.encode() for name in names}
            server = Server(Folds)
            result = case.export(server, files, connections=connections)
            there, waits = server.store.files, result.new
            case.claim('one is there, the other waits',
                       len(there) == len(waits) == 1 and {**there, **waits} == files)
            case.claim('the log says so', "waits in 'new'" in result.log)


class Versions(Session):
    """VMS keeps versions."""

    ending = ';1'

    def keep(self, path, data):
        super().keep(path + self.ending if '.xml' in path else path, data)


class Numbers(Versions):
    """STOR behaves like STOU."""

    ending = '.1'


class LowerCase(Session):
    """FAT, of sorts; it finds nothing by the name that it was told."""

    def keep(self, path, data):
        super().keep(path.lower(), data)


class Strips(Session):
    """RNTO leaves out blanks at both ends, and what is no ASCII."""

    def do_RNTO(self, argument):
        super().do_RNTO(argument.strip().encode('ascii', 'ignore').decode())


@case
def stored_under_other_names(case):
    for kind, name in ((Versions, 'a.xml'), (Numbers, 'a.xml'), (LowerCase, 'A.xml'),
                       (Strips, ' Köln.xml')):
        for connections in '1', '4':
            server, files = Server(kind), {name: b'x' * 500}
            if kind is Strips:
                files['b.txt'] = b'b'
            result = case.export(server, files, connections=connections)
            case.claim('%s: the status is 1' % kind.__name__, result.status == 1)
            case.claim('the file waits', sorted(result.new) == [name])
            case.claim('nothing else is there: %s' % sorted(server.store.files),
                       set(server.store.files) == set(files) - {name})
