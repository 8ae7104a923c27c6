"""Lines that are not as they should be: what they may mean."""
import unittest

from hypothesis import given, strategies

from zeit.cds.ftp import guessing
from zeit.cds.interfaces import Entry


FACTS = b'type=file;size=100;modify=20261125000000'
TIME = 1_795_564_800 * 10**9


def names(guess):
    return [entry.name for entry in guess.entries]


class MLSD(unittest.TestCase):

    def check(self, line, *expected):
        guess = guessing.of_mlsx(line)
        self.assertEqual(list(expected), names(guess), line)
        self.assertEqual({(100, TIME, 'file')}, {entry[1:] for entry in guess.entries})
        return guess

    def test_last_semicolon(self):
        self.check(FACTS + b' a.xml', 'a.xml')
        self.check(FACTS + b' a b.xml', 'a b.xml', 'b.xml')     # a value may have blanks as well

    def test_blanks(self):
        for line in (FACTS + b';a.xml', FACTS + b';a b.xml', b'  ' + FACTS + b'; a.xml',
                     FACTS + b';\ta.xml', b'\xef\xbb\xbf' + FACTS + b'; a.xml'):
            self.assertIn(names(guessing.of_mlsx(line))[-1], ('a.xml', 'a b.xml'), line)
        self.check(FACTS + b';  a.xml', ' a.xml', 'a.xml')

    def test_blanks_between_facts(self):
        self.check(FACTS.replace(b';', b'; ') + b'; a.xml', 'a.xml')
        self.check(FACTS.replace(b';', b';  ') + b'; a b.xml', 'a b.xml')

    def test_blanks_inside_facts(self):
        for key in b'UNIX.groupname', b'unix.owner':
            self.check(b'%s=Domain Users;%s; a.xml' % (key, FACTS), 'a.xml')
            self.check(b'%s;%s=Domain Users; a; b=c.xml' % (FACTS, key), 'a; b=c.xml')

    def test_case_of_facts(self):
        self.check(b' ' + FACTS.replace(b'type=file', b'TYPE=File').replace(b'size', b'Size')
                   + b'; a.xml', 'a.xml')

    def test_paths(self):
        for path in b'/out/a.xml', b'./a.xml', b'out/a.xml', b'C:\\out\\a.xml':
            self.check(FACTS + b'; ' + path, 'a.xml')

    def test_nonsense(self):
        for line in b'rubbish', b'a=b;c', b'; x', b'total 5', b'type', b'-rw-r--r-- 1 a b 5 x':
            self.assertIsNone(guessing.of_mlsx(line), line)
        for line in b'type=file;', b'type=file; ', b'type=file;size= ', b'type=file;size=5; /':
            self.assertEqual((), guessing.of_mlsx(line).entries, line)


class NLST(unittest.TestCase):

    def test_paths(self):
        for line in b'./a', b'/a', b'/x/y/a', b'x/a', b'\xef\xbb\xbfa', b'C:\\x\\a':
            self.assertEqual(['a'], names(guessing.of_nlst(line)), line)
        self.assertEqual([' a', 'a'], names(guessing.of_nlst(b' a')))
        self.assertEqual('dir', guessing.of_nlst(b'a/').entries[0].kind)

    def test_total(self):
        for line in b'total 0', b'total 12', b'total 12K':
            self.assertTrue(guessing.of_nlst(line).optional, line)

    def test_long_lines(self):
        for line, expected in {
            b'-rw-r--r--   1 ftp      ftp           100 Nov 25 19:31 a b.xml': Entry('a b.xml'),
            b'-rw-r--r--+  1 me Domain Users 100 Nov  5  2025 a.xml': Entry('a.xml'),
            b'-rw-r--r-- 1 a b 100 2026-11-25 19:31 a.xml': Entry('a.xml'),
            b'-rw-r--r-- 1 a b 100 2026-11-25 19:31:02.123 +0100 a.xml': Entry('a.xml'),
            b'-rw-r--r-- 1 a b 100 25 Nov 19:31 a.xml': Entry('a.xml'),
            b'drwxr-xr-x 2 a b 100 Nov 25 19:31 d': Entry('d', kind='dir'),
            b'lrwxrwxrwx 1 a b 100 Nov 25 19:31 l -> a.xml': Entry('l'),
            b'prw-r--r-- 1 a b 100 Nov 25 19:31 p': Entry('p', kind='other'),
            b'-rw-r--r-- 1 a.xml': Entry('a.xml'),
        }.items():
            self.assertEqual((expected,), guessing.of_nlst(line).entries, line)

    @given(strategies.binary(min_size=1, max_size=100))
    def test_no_bytes_break_it(self, line):
        for guess in guessing.of_nlst(line), guessing.of_mlsx(line):
            for name in names(guess) if guess else ():
                self.assertNotIn(name, ('', '.', '..'))
                self.assertNotIn('/', name)
