"""Names of an export that differ, but not to every server."""
import unicodedata

from zeit.cds.interfaces import PermanentError
from zeit.cds.transfer.naming import folded
from zeit.cds.transfer.tests.plain import Exchanges, Fault, QUICK


ACCENTED = [unicodedata.normalize(form, 'Müller') for form in ('NFD', 'NFC')]


class Clashes(Exchanges):
    """The server has one file for two names: the second file waits."""

    def check(self, first, *others, tuning=QUICK, faults=(), **settings):
        server = self.serve(*faults, key=folded)
        for name in first, *others:
            self.offer(name, name.encode())
        outcome = self.run_it(self.export(server, tuning, **settings))
        self.assertTrue(outcome.successful, self.log.text)
        self.assertEqual({first: first.encode()}, server.files)
        self.assertEqual(({first}, set(others)), (set(self.spool('cur')), set(self.spool('new'))))
        self.assertEqual((1, len(others)), (outcome.files, outcome.waiting))
        self.assertEqual(list(others), [name for name, reason in outcome.skipped])
        for (_name, reason), line in zip(outcome.skipped, self.log.warnings):
            self.assertIn("it waits in 'new'", reason)
            self.assertIn(reason, line)
        server.files.clear()
        return server, outcome

    def test_case(self):
        for connections in 1, 4:
            with self.subTest(connections=connections):
                self.setUp()
                _, outcome = self.check('Flash.xml', 'flash.xml', connections=connections)
                self.assertIn('does not tell it from that of Flash.xml', outcome.skipped[0][1])

    def test_accents(self):
        self.check(*ACCENTED)

    def test_three_names(self):
        self.check('FLASH', 'Flash', 'flash')

    def test_where_the_names_are_listed(self):
        self.check('Flash', 'flash', tuning=QUICK._replace(many=1))

    def test_where_files_may_be_replaced(self):
        self.check('Flash', 'flash', replace=True)

    def test_where_nothing_can_be_renamed(self):
        self.check('Flash', 'flash', faults=[Fault('rename', PermanentError('No.'))])

    def test_the_second_goes_when_the_first_is_taken(self):
        server, _ = self.check('Flash', 'flash')
        server.take('Flash')
        self.assertTrue(self.run_it(self.export(server)).successful)
        self.assertEqual(({'flash': b'flash'}, {}), (server.files, self.spool('new')))


class Differences(Exchanges):
    """The server has two files: both go."""

    def check(self, tuning=QUICK, **settings):
        server = self.serve()
        names = ['Flash', 'flash', 'other', *ACCENTED]
        for name in names:
            self.offer(name, name.encode())
        outcome = self.run_it(self.export(server, tuning, **settings))
        self.assertEqual((True, []), (outcome.successful, self.log.warnings))
        self.assertEqual({name: name.encode() for name in names}, server.files)
        self.assertEqual(({}, 0), (self.spool('new'), outcome.waiting))

    def test_both_go(self):
        for settings in {}, {'connections': 4}, {'replace': True}:
            self.check(**settings)

    def test_where_the_names_are_listed(self):
        self.check(QUICK._replace(many=1))
