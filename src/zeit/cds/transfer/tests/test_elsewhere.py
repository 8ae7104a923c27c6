"""Files that a server stores under another name: which are ours, and what to tell a person."""
import types
import unittest

from zeit.cds.interfaces import Entry, PermanentError, TemporaryError
from zeit.cds.transfer import elsewhere
from zeit.cds.transfer.elsewhere import Digest, final, is_plain, NotThere, Renamed, temporary
from zeit.cds.transfer.upload import Done


def digest(data):
    found = Digest()
    found.buffer()[:len(data)] = data
    found.advance(len(data))
    return found.hexdigest()


class Line:
    """A server that lists and reads these files: {name: data}."""

    def __init__(self, sizes=True, **files):
        self.files = {name.replace('__', '.'): data for name, data in files.items()}
        self.sizes, self.session, self.was_read = sizes, self, []

    def entries(self):
        return [Entry(name, len(data) if self.sizes else None)
                for name, data in self.files.items()]

    def read(self, name, sink):
        self.was_read.append(name)
        if self.files[name] is None:
            raise PermanentError('550 No.')
        sink.buffer()[:len(self.files[name])] = self.files[name]
        sink.advance(len(self.files[name]))


class Names(unittest.TestCase):

    def test_plain_ones(self):
        for name in 'a', 'A.b-c_9', '_a', '9', 'x' * 100:
            self.assertTrue(is_plain(name), name)
        for name in '', '.a', '-a', 'a.', 'a b', 'ä', 'a\n', 'x' * 101:
            self.assertFalse(is_plain(name), name)

    def test_a_temporary_one(self):
        name = '.a.0123abcd.part'
        self.assertIsNone(temporary(Line(a=b'', b__part=b''), name))
        for other in '.A.0123ABCD.PART', '_a.0123abcd.part.1', name:
            line = Line()
            line.files.update({'b': b'', other: b''})
            self.assertEqual(other, temporary(line, name).name)
        line = Line()
        line.files.update({name + '.1': b'', name: b''})
        self.assertEqual(name, temporary(line, name).name)


class Final(unittest.TestCase):

    def found(self, line, name='a_name', data=b'data', others=()):
        entry = final(line, name, len(data), digest(data), lambda name: name in others)
        return entry and entry.name

    def test_its_own_name_needs_no_look(self):
        line = Line(a_name=b'else', b_name=b'data')
        self.assertEqual('a_name', self.found(line))
        self.assertEqual([], line.was_read)

    def test_a_similar_one_with_the_same_contents(self):
        self.assertEqual('A_NAME', self.found(Line(A_NAME=b'data', other=b'data')))
        self.assertEqual('b_name', self.found(Line(A_NAME=b'DATA', b_name=b'data')))
        self.assertEqual('A_NAME', self.found(Line(sizes=False, A_NAME=b'data')))

    def test_none(self):
        for line in (Line(), Line(A_NAME=b'DATA'), Line(A_NAME=b'data+'), Line(xyz=b'data'),
                     Line(__a_name=b'data')):
            self.assertIsNone(self.found(line))
        self.assertIsNone(self.found(Line(A_NAME=b'data'), others=['A_NAME']))

    def test_what_cannot_be_read_is_not_ours(self):
        line = Line(sizes=False, A_NAME=None, b_name=b'data')
        line.entries = lambda: [Entry('A_NAME'), Entry('b_name')]
        self.assertEqual('b_name', self.found(line))

    def test_the_most_similar_ones_are_read_and_no_more(self):
        line = Line(**{'a_nam' + c: b'else' for c in 'bcdfghij'}, A_NAME=b'else')
        self.assertIsNone(self.found(line))
        self.assertEqual(('A_NAME', elsewhere.MOST), (line.was_read[0], len(line.was_read)))

    def test_accents_and_case_make_no_difference(self):
        line = Line()
        line.files['MU\u0308LLER'] = b'data'
        line.files['m_ller'] = b'else'
        self.found(line, 'm\xfcller')
        self.assertEqual('MU\u0308LLER', line.was_read[0])


class RenamedTest(unittest.TestCase):

    def get(self, entry, renamed=None):
        seen = types.SimpleNamespace(get=lambda: entry)
        return Renamed(renamed or Done(), seen, types.SimpleNamespace(size=5)).get()

    def test_it_is_there(self):
        self.get(Entry('a', 5))
        self.get(Entry('a'))

    def test_it_is_not(self):
        for entry in None, Entry('a', 4):
            self.assertRaises(NotThere, self.get, entry)

    def test_it_was_not_renamed(self):
        def get():
            raise TemporaryError('450 Busy.')

        self.assertRaises(TemporaryError, self.get, None, types.SimpleNamespace(get=get))


class Words(unittest.TestCase):

    def test_why_a_file_is_not_exchanged(self):
        for name, meanwhile, said in (
                ('A', None, 'A'), ('.A.0123.part', '.a.0123.part', 'A'),
                ('a b.0123.part.1', '.a.0123.part', 'a b'), ('.a', None, '.a')):
            self.assertIn('it would be called %s there.' % said,
                          elsewhere.reason(name, meanwhile))

    def remedy(self, code=None, text='No.'):
        error = PermanentError(text)
        if code is not None:
            error.reply = types.SimpleNamespace(code=code)
        feed = types.SimpleNamespace(user='me', ftp_dir='/in')
        return elsewhere.remedy(error, feed)

    def test_what_to_ask_for(self):
        for code in 452, 552:
            self.assertIn('The quota of the user me', self.remedy(code))
        self.assertIn('The quota of the user me', self.remedy(text='Over Quota'))
        for code in 532, 550:
            self.assertIn('The user me needs the right to create, rename and remove files in /in',
                          self.remedy(code))
        self.assertIn('rename the file', self.remedy(553))
        for code in 451, 500, 551, None:
            self.assertEqual('', self.remedy(code))
