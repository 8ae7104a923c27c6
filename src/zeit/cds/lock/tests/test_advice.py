"""What a person has to do about a server that does not take, or keep, a lock file."""
import types
import unittest

from zeit.cds.interfaces import PermanentError, TemporaryError
from zeit.cds.lock.advice import not_removed, not_stored
from zeit.cds.lock.directory import MUTEX


FEED = types.SimpleNamespace(user='me', ftp_dir='/in')
QUOTA, DATA = 'The quota of the user me', 'No data connection came about'
NAME, RIGHT = 'does not allow this name', 'The user me needs the right to create'


def refusal(code, text='No.', kind=PermanentError):
    error = kind(text)
    if code is not None:
        error.reply = types.SimpleNamespace(code=code)
    return error


class Advice(unittest.TestCase):

    def test_what_was_not_stored(self):
        for error, said in (
                (refusal(452), QUOTA), (refusal(552), QUOTA), (refusal(550, 'Over QUOTA'), QUOTA),
                (refusal(425), DATA), (refusal(426), DATA),
                (refusal(None, kind=TemporaryError), DATA), (refusal(None), RIGHT),
                (refusal(553), NAME), (refusal(550), RIGHT), (refusal(451), RIGHT)):
            text = not_stored('read', FEED, error)
            self.assertTrue(text.startswith('The lock file read could not be stored in the '
                                            'directory /in. Nothing was exchanged. '), text)
            self.assertIn(said, text)
            self.assertNotIn(MUTEX, text)

    def test_nor_was_the_mutex_made(self):
        text = ' The directory %s, which we make there for a moment, was refused, too: Nope.' % (
            MUTEX)
        for code, told in (550, True), (425, True), (452, False), (552, False):
            said = not_stored('read', FEED, refusal(code), refusal(550, 'Nope.'))
            self.assertEqual(told, said.endswith(text), said)

    def test_a_name_is_not_to_blame_where_none_is_allowed(self):
        said = not_stored('read', FEED, refusal(553), refusal(550))
        self.assertIn(RIGHT, said)
        self.assertNotIn(NAME, said)

    def test_what_was_not_removed(self):
        text = not_removed('read', FEED)
        self.assertIn('The lock file read stays in the directory /in', text)
        self.assertIn('The user me needs the right to remove files there', text)
