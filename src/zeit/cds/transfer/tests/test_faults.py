"""Each fault of the table, on one session and on four, and one plain run after it."""
import contextlib
import os
import shutil
import tempfile
import unittest

import zope.event

from zeit.cds.feed import Feed
from zeit.cds.testing.faulty import Content, FaultyServer
from zeit.cds.testing.layers import BESIDE_LAYER
from zeit.cds.testing.logs import recorded
from zeit.cds.tests.faults import ALL, DAY, FAULTS, FILES, NAMES, PASSWORD
from zeit.cds.tests.importing import contents, put
from zeit.cds.transfer.tests.faulty import new_run, QUICK


FOUR = QUICK._replace(files_a_session=1)
SECRETS = (PASSWORD, PASSWORD[:8], PASSWORD[8:])


class WatchedServer(FaultyServer):
    """Keeps what was ever in a lock file."""

    def __init__(self, *args, **kw):
        self.tokens = set()
        super().__init__(*args, **kw)

    def record(self, number, command):
        for name in ('read', 'write'):
            if name in self.files:
                self.tokens.add(bytes(self.files[name].data))
        super().record(number, command)

    @property
    def locks(self):
        """Lock files and mutex that are there: list of str."""
        return sorted({*self.files, *self.directories} & {'read', 'write', '.cds-mutex'})


def command_lines():
    """What `ps` shows of this process and its children, str."""
    found = []
    for pid in filter(str.isdigit, os.listdir('/proc')):
        with contextlib.suppress(OSError), open('/proc/%s/stat' % pid) as stat, \
                open('/proc/%s/cmdline' % pid) as line:
            parent = stat.read().rpartition(')')[2].split()[1]
            if str(os.getpid()) in (pid, parent):
                found.append(line.read())
    return ' '.join(found)


class Exchange:
    """A server with one fault, a spool, and what came of each run."""

    def __init__(self, fault, sessions):
        self.fault, self.sessions = fault, sessions
        self.store_dir = tempfile.mkdtemp(prefix='zeit.cds-fault-')
        self.server = WatchedServer(
            script=fault.script, password=PASSWORD, **fault.server,
            files={name: Content(data, DAY) for name, data in {**FILES, **fault.files}.items()})
        self.events, self.log = [], None
        self.published = []         # (name, data), as often as it was published

    def __enter__(self):
        for name in ('tmp', 'new', 'cur'):
            os.mkdir(os.path.join(self.store_dir, name))
        for place, content in self.fault.spool.items():
            folder, name = os.path.split(place)
            os.makedirs(os.path.join(self.store_dir, folder), exist_ok=True)
            put(os.path.join(self.store_dir, folder), name, *content)
        self.server.start()
        return self

    def __exit__(self, *_):
        self.server.stop()
        shutil.rmtree(self.store_dir)

    def run(self, **settings):
        """Import once; the Outcome."""
        feed = Feed(**{**dict(
            store_dir=self.store_dir, hostname=self.server.host, port=self.server.port,
            user=self.server.user,
            password=PASSWORD, ftp_dir='/', timeout=5, retries=2, connections=self.sessions),
            **settings})
        zope.event.subscribers.append(self.events.append)
        try:
            with recorded() as self.log:
                outcome = new_run(feed, QUICK if self.sessions == 1 else FOUR)()
        finally:
            zope.event.subscribers.remove(self.events.append)
        return outcome

    def consume(self):
        """Take everything out of new, as a consumer does: {name: data}."""
        found = {os.fsdecode(name): data for name,
                 data in contents(os.path.join(self.store_dir, 'new')).items()}
        for name in found:
            os.unlink(os.path.join(self.store_dir, 'new', name))
        self.published.extend(found.items())
        return found

    def tmp(self):
        return {os.fsdecode(name) for name in contents(os.path.join(self.store_dir, 'tmp'))}

    @property
    def there(self):
        """{name: data} on the server, without locks."""
        return {name: bytes(data) for name,
                data in self.server.files.data.items() if name not in ('read', 'write')}

    def spoken(self):
        """All that the run showed to anybody, str."""
        return ' '.join([self.log.text, repr(self.events), command_lines(),
                         *(token.decode('latin-1') for token in self.server.tokens)])


class Rows:
    """The test of one row; `sessions` and `fault` come from the subclass and the method's name."""

    layer = BESIDE_LAYER
    maxDiff = 2000

    def check(self, fault):
        with Exchange(fault, self.sessions) as exchange:
            outcome = exchange.run(**fault.settings)
            self.check_outcome(exchange, outcome)
            self.check_files(exchange, outcome)
            self.check_log(exchange)
            self.check_server(exchange)
            exchange.consume()
            self.check_repair(exchange)

    def check_outcome(self, exchange, outcome):
        fault = exchange.fault
        self.assertIsInstance(outcome.error, fault.error or type(None), exchange.log.text)
        self.assertEqual(sorted(fault.failed), sorted(name for name, reason in outcome.failed),
                         exchange.log.text)
        self.assertEqual(sorted(fault.skipped), sorted(name for name, reason in outcome.skipped),
                         exchange.log.text)
        self.assertEqual(not fault.error and not fault.failed, outcome.successful)

    def check_files(self, exchange, outcome):
        fault = exchange.fault
        new = {os.fsdecode(name): data for name, data in
               contents(os.path.join(exchange.store_dir, 'new')).items()}
        stays = set(NAMES if fault.stays == ALL else fault.stays)
        whole = {**FILES, **fault.files,
                 **{place[4:]: content[0] for place,
                    content in fault.spool.items() if os.path.dirname(place) == 'tmp'}}
        expected = {name: whole[name] for name in (
            set(whole) - {'read', 'write'} - stays - set(fault.taken) if fault.published is None
            else fault.published)}
        if fault.shrunk is not None:
            expected['c.xml'] = expected['c.xml'][:fault.shrunk]
        expected.update((place[4:], content[0]) for place,
                        content in fault.spool.items() if place.startswith('new/'))
        self.assertEqual({name: len(data) for name, data in expected.items()},
                         {name: len(data) for name, data in new.items()}, exchange.log.text)
        self.assertEqual(expected, new)
        self.assertEqual(stays, set(exchange.there), exchange.log.text)
        self.assertEqual(set(fault.kept), exchange.tmp())

    def check_log(self, exchange):
        fault, complaints = exchange.fault, exchange.log.complaints
        for text in fault.says:
            self.assertTrue(any(text in line for line in complaints),
                            '%r in %s' % (text, exchange.log.text))
        bearable = (*fault.says, *fault.may_say,
                    *(['Exiting with exception', 'Error accessing'] if fault.error else []),
                    *(['Exiting with failure'] if fault.failed else []))
        for line in complaints:
            self.assertTrue(any(text in line for text in bearable),
                            '%r\n%s' % (line, exchange.log.text))
        for secret in SECRETS:
            self.assertNotIn(secret, exchange.spoken())

    def check_server(self, exchange):
        fault, server = exchange.fault, exchange.server
        self.assertEqual([], server.errors)
        self.assertEqual([], server.violations)
        self.assertEqual(sorted(fault.locks), server.locks, exchange.log.text)
        if not fault.may_be_unused:
            self.assertEqual([], server.unused)
        for command, number in fault.commands.items():
            self.assertEqual(number, len([c for c in server.commands() if c.startswith(command)]),
                             server.commands())
        if self.sessions > 1 and not fault.error and not fault.few:
            self.assertGreaterEqual(server.sessions, self.sessions)

    def check_repair(self, exchange):
        """Without the fault, one plain run publishes what is left, and empties the server."""
        fault, server = exchange.fault, exchange.server
        server.behave()
        if fault.mend:
            fault.mend(server)
        left = {**exchange.there, **{name: None for name in exchange.tmp()}}
        outcome = exchange.run()
        self.assertIsNone(outcome.error, exchange.log.text)
        self.assertEqual([], outcome.failed)
        self.assertEqual(set(left), set(exchange.consume()), exchange.log.text)
        self.assertEqual(({}, set(), []), (exchange.there, exchange.tmp(), server.locks))
        counts = [name for name, data in exchange.published]
        self.assertEqual(sorted(fault.twice),
                         sorted({name for name in counts if counts.count(name) > 1}))


def rows(name, sessions):
    """A TestCase with a test of each fault."""
    def test(fault):
        return lambda self: self.check(fault)
    return type(name, (Rows, unittest.TestCase), {
        'sessions': sessions, '__module__': __name__,
        **{'test_' + fault.slug: test(fault) for fault in FAULTS}})


OneSession = rows('OneSession', 1)
FourSessions = rows('FourSessions', 4)


class TableTest(unittest.TestCase):

    def test_has_many_rows_each_with_a_name_of_its_own(self):
        names = [fault.slug for fault in FAULTS]
        self.assertEqual(len(names), len(set(names)))
        self.assertGreaterEqual(len(names), 90)
