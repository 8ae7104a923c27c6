"""Servers as they should be: what all the others are made of."""
from zeit.cds.testing.cases import case
from zeit.cds.testing.cases.stub import NoMLSD, Server, Session


def _both_ways(case, kind):
    server = Server(kind, {'a.xml': b'a' * 100, 'b.xml': b'b' * 200})
    case.arrives(server, 'a.xml', 'b.xml')
    case.emptied(server)
    files = {'x.xml': b'x' * 500, 'y.xml': b'y'}
    result = case.export(server, files)
    case.claim('both files are there', server.store.files == files)
    case.claim('the status is 0', result.status == 0)


@case
def well_behaved(case):
    _both_ways(case, Session)


@case
def well_behaved_without_mlsd(case):
    _both_ways(case, NoMLSD)
