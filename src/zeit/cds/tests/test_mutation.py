"""What tools/mutants notices, and what it shows as survivors."""
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from zeit.cds.tests.mutation import coverage


# A room whose tests look at some of what it does.
ROOM = '''\
"""Doors."""


def check(number, log=None):
    """Whether a door may open."""
    if number < 0:
        raise ValueError(number)
    if number == 7:
        return None
    if log:
        log.info('number %d', 5)
    return number > 2


def wait(number):
    while number != 0:
        number -= 1
    return number
'''
TESTS = '''\
import time
import unittest

from house.door.room import check, wait


class Server:
    """A layer; who changes nothing that matters here may not stop it."""

    __name__, __module__, __bases__ = 'Server', 'house', ()
    server = None

    def setUp(self):
        self.server = 'runs'

    def testSetUp(self):
        assert self.server == 'runs'

    def tearDown(self):
        self.server = None


SERVER = Server()


class Doors(unittest.TestCase):

    def test_below(self):
        with self.assertRaises(ValueError):
            check(-1)

    def test_open(self):
        self.assertEqual((False, True), (check(1), check(4)))

    @unittest.skip('not today')
    def test_nothing(self):
        check(7)


class Waits(unittest.TestCase):

    layer = SERVER

    def test_wait(self):
        self.assertEqual(0, wait(3))
        self.assertEqual('runs', SERVER.server)
'''
SHAKY = '''

class Shaky(unittest.TestCase):

    calls = []

    def test_it(self):
        import os
        check(4)
        self.calls.append(1)
        self.assertTrue('%s' in os.environ or len(self.calls) > 1)
''' % coverage.VARIABLE
OTHER = '''\
import subprocess, sys
        code = 'from house.door.room import check; print(check(4))'
        self.assertEqual(b'True\\n', subprocess.check_output(
            [sys.executable, '-c', code], env={**__import__('os').environ,
                                               'PYTHONPATH': sys.path[0]}))'''
RUN = '''\
import sys
from zeit.cds.tests.mutation import check, command, trial
check.MORE_SECONDS = 1
project = trial.Project(sys.argv[1], 'house', {'door': (['door.*'], ['door.tests.*'])})
sys.exit(command.main(sys.argv[2:], project))
'''


class House(unittest.TestCase):
    """The tool on a package of one room."""

    maxDiff = None

    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.source = Path(place.name)
        tests = self.source / 'house' / 'door' / 'tests'
        tests.mkdir(parents=True)
        for directory in (tests.parents[1], tests.parent, tests):
            (directory / '__init__.py').touch()
        self.room = tests.parent / 'room.py'
        self.room.write_text(ROOM, encoding='ascii')
        self.tests = tests / 'test_room.py'
        self.tests.write_text(TESTS, encoding='ascii')

    def mutants(self, *args):
        """(status, what is printed) of tools/mutants."""
        done = self.run_mutants(*args)
        self.assertEqual('', done.stderr)
        return done.returncode, done.stdout

    def run_mutants(self, *args):
        return subprocess.run(
            [sys.executable, '-c', RUN, str(self.source), *args], text=True,
            env={**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path))},
            stdin=subprocess.DEVNULL, capture_output=True, timeout=120)

    def survivors(self, *args):
        _, printed = self.mutants(*args)
        return [line.split()[1] for line in printed.splitlines() if line.startswith('survived:')]

    def test_what_tests_look_at_is_noticed(self):
        status, printed = self.mutants(
            '--only', 'door.room:6:guard', '--only', 'door.room:12:return', '--seed', '1')
        self.assertEqual(0, status, printed)
        self.assertIn('2 mutants, seed 1: 2 noticed (100.0 %), 0 survived', printed)
        self.assertIn('noticed:  door.room:6:guard by '
                      'house.door.tests.test_room.Doors.test_below', printed)

    def test_what_they_do_not_look_at_survives_and_is_shown(self):
        status, printed = self.mutants('--only', 'door.room:12:number', '--jobs', '1')
        self.assertEqual(1, status)
        self.assertIn('survived: door.room:12:number\nhouse/door/room.py:12\n'
                      '         log.info(\'number %d\', 5)\n'
                      '-    return number > 2\n+    return number > 3\n', printed)
        self.assertIn(' 0 noticed (0.0 %), 1 survived', printed)

    def test_what_other_processes_execute_counts(self):
        self.tests.write_text(TESTS.replace(
            'self.assertEqual((False, True), (check(1), check(4)))', OTHER), encoding='ascii')
        status, printed = self.mutants('--only', 'door.room:12:return')
        self.assertEqual(0, status, printed)

    def test_guards(self):
        self.assertEqual(['door.room:8:guard'], self.survivors('--guards'))

    def test_a_loop_without_end_is_noticed(self):
        status, printed = self.mutants('--only', 'door.room:17:assign')
        self.assertEqual(0, status, printed)
        self.assertIn('which took too long', printed)

    def test_tests_that_are_red_anyway_notice_nothing(self):
        self.tests.write_text(TESTS.replace("(check(1), check(4))", "'another'"), encoding='ascii')
        status, printed = self.mutants('--only', 'door.room:12:return')
        self.assertEqual(1, status, printed)
        self.assertIn('red on unchanged code, not counted: '
                      'house.door.tests.test_room.Doors.test_open', printed)

    def test_what_is_red_by_chance_notices_nothing(self):
        self.tests.write_text(TESTS + SHAKY, encoding='ascii')
        status, printed = self.mutants('--only', 'door.room:12:number')
        self.assertEqual(1, status, printed)

    def test_tests_of_a_higher_level_notice_nothing(self):
        self.tests.write_text(TESTS.replace('class Doors(unittest.TestCase):\n',
                                            'class Doors(unittest.TestCase):\n    level = 2\n'))
        self.assertEqual(['door.room:12:return'], self.survivors('--only', 'door.room:12:return'))

    def test_who_has_no_patience_counts_as_survived_what_takes_long(self):
        self.assertEqual(['door.room:17:assign'], self.survivors(
            '--only', 'door.room:17:assign', '--brief', '0.2'))

    def test_what_is_known_of_the_tests_is_kept_and_new_ones_are_added(self):
        """Although the lines of the code have moved since."""
        tried, known = self.source / 'tried', self.source / 'known'
        tests = TESTS.replace('            check(-1)', '            open(%r, "a").write("x")\n'
                              '            check(-1)' % str(tried))
        self.tests.write_text(tests)
        self.assertEqual(['door.room:12:number'], self.survivors(
            '--only', 'door.room:12:number', '--known', str(known)))
        self.room.write_text(ROOM.replace('"""Doors."""', '"""Doors.\n\n..."""'))
        self.tests.write_text(tests.replace('(check(1), check(4)))', '(check(1), check(4)))\n\n'
                                            '    def test_new(self):\n        assert check(3)'))
        status, printed = self.mutants('--only', 'door.room:14:number', '--known', str(known))
        self.assertEqual(0, status, printed)
        self.assertIn('by house.door.tests.test_room.Doors.test_new', printed)
        self.assertEqual('x', tried.read_text())

    def test_a_module_that_cannot_be_loaded_anyway_notices_nothing(self):
        self.tests.with_name('test_broken.py').write_text('import nothing_of_that_name\n')
        status, printed = self.mutants('--only', 'door.room:12:return', '--jobs', '1')
        self.assertEqual(0, status, printed)
        self.assertIn('red on unchanged code, not counted: loading door.tests.test_broken', printed)
        self.assertIn('by house.door.tests.test_room.Doors.test_open', printed)

    def test_without_any_good_test_nothing_is_tried(self):
        self.tests.write_text('import nothing_of_that_name\n', encoding='ascii')
        done = self.run_mutants('--only', 'door.room:12:return')
        self.assertEqual(1, done.returncode)
        self.assertIn('No test is good on unchanged code; see /', done.stderr)
        log = Path(done.stderr.split()[-1])
        self.assertIn('nothing_of_that_name', log.read_text())
        log.unlink()

    def test_code_that_cannot_be_imported_is_noticed(self):
        self.room.write_text(ROOM + 'SIZE = 1 // (1 - 2)\n', encoding='ascii')
        status, printed = self.mutants('--only', 'door.room:19:number.2')
        self.assertEqual(0, status, printed)

    def test_a_sample_depends_on_its_seed_and_nothing_else(self):
        lists = [self.mutants('--list', '--sample', '5', '--seed', seed)[1] for seed in '112']
        self.assertEqual(lists[0], lists[1])
        self.assertNotEqual(lists[0], lists[2])

    def test_the_code_itself_stays_as_it_is(self):
        self.mutants('--only', 'door.room:6:guard')
        self.assertEqual(ROOM, self.room.read_text(encoding='ascii'))
        self.assertEqual([], list(self.source.rglob('*.pyc')))

    def test_no_such_mutant(self):
        done = self.run_mutants('--only', 'x')
        self.assertEqual((2, 'There is no such mutant.\n'), (done.returncode, done.stderr))
