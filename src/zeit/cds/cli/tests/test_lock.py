"""The command cds-lock and what it shows and removes: never anything else than it showed."""
import contextlib
import io
import json
import unittest
import unittest.mock

import zope.component
import zope.component.testing
import zope.interface

from zeit.cds.cli import lock
from zeit.cds.cli.signals import Signals
from zeit.cds.interfaces import ICDSConnection, LockInfo
from zeit.cds.lock.tests.local import Plain
from zeit.cds.lock.token import Owner


FORGED = 'x\x1b[2J\nINFO forged\r\u202e\x9b'


@zope.interface.implementer(ICDSConnection)
class Connection:

    needs_password = False

    def __init__(self, open):
        self._open = open

    def open(self, feed, deadline=None, like=None):
        return self._open()


class Locks(Plain, unittest.TestCase):

    def setUp(self):
        super().setUp()
        zope.component.testing.setUp()
        self.addCleanup(zope.component.testing.tearDown)
        zope.component.provideUtility(Connection(self.open), ICDSConnection)

    def cds_lock(self, *arguments, asked=None):
        """The exit status; `out` and `err` are what was printed.

        asked -- function that answers a question
        """
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), \
                unittest.mock.patch('builtins.input', asked), \
                unittest.mock.patch('sys.stdin', unittest.mock.Mock(isatty=lambda: True)), \
                unittest.mock.patch.dict('os.environ', CDS_PASSWORD='secret'):
            status = lock.Locks('cds-lock', Signals(), [*arguments, 'ftp://test@localhost/']).run()
        self.out, self.err = out.getvalue(), err.getvalue()
        return status

    def assert_printable(self, text):
        for line in text.splitlines():
            self.assertTrue(line.isprintable(), line)
            self.assertFalse(line.startswith('INFO forged'), line)

    def test_what_a_lock_says_reaches_no_terminal_as_it_is(self):
        for field in Owner._fields:
            with self.subTest(field=field):
                token = Owner.me()._replace(**{field: FORGED}).token.encode()
                self.put('read', token)
                self.assertEqual(0, self.cds_lock())
                self.assertIn('held by process', self.out)
                self.assert_printable(self.out + self.err)
                self.assertEqual(0, self.cds_lock('--json'))
                owner = json.loads(self.out)['locks'][0]['owner']
                self.assertTrue(owner.isprintable())
                self.assertEqual(1, self.cds_lock('--break=read', asked=self.question_is_printable))
                self.assertEqual(0, self.cds_lock('--break=read', '--yes'))
                self.assert_printable(self.out + self.err)

    def question_is_printable(self, question):
        self.assertTrue(question.isprintable(), question)
        return 'n'

    def test_what_the_locks_of_another_make_say_does_not_either(self):
        feed = unittest.mock.Mock()
        feed.name = 'dpa'
        text = lock.described(feed, LockInfo(FORGED, FORGED, False))
        self.assertTrue(text.isprintable())

    def test_it_removes_what_it_showed(self):
        self.put('read', b'one')
        self.assertEqual(0, self.cds_lock('--break=read', asked=lambda question: 'y'))
        self.assertEqual({}, self.there())

    def test_it_removes_nothing_that_came_while_it_asked(self):
        def answer(question):
            self.put('read', b'two')
            return 'y'

        self.put('read', b'one')
        self.assertEqual(75, self.cds_lock('--break=read', asked=answer))
        self.assertIn('The lock read is another one now', self.err)
        self.assertEqual({'read': b'two'}, self.there())

    def test_it_says_that_there_is_none_any_more(self):
        def answer(question):
            self.open().remove('read')
            return 'y'

        self.put('read', b'one')
        self.assertEqual(1, self.cds_lock('--break=read', asked=answer))
        self.assertIn('The lock read is not there any more.', self.err)
