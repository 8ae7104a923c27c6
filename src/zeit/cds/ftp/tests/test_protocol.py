"""The language of FTP: whatever a server sends becomes a reply, an entry, or a clear error."""
import datetime
import os
import unittest

from hypothesis import example, given, settings, strategies

from zeit.cds.ftp import protocol
from zeit.cds.ftp.protocol import Lines, Reply, ReplyReader
from zeit.cds.interfaces import (
    Entry,
    NotSupported,
    PermanentError,
    ProtocolError,
    TemporaryError,
)
from zeit.cds.text import printable


BYTES = strategies.binary(max_size=300)
LINE = strategies.binary(max_size=80).filter(lambda line: not set(line) & set(b'\r\n'))
# Names as a directory can hold them: any bytes but / and NUL; and no line ends, which no listing
# can tell apart.
NAME = strategies.binary(min_size=1, max_size=255).filter(
    lambda name: not set(name) & set(b'/\0\r\n'))
SIZE = strategies.integers(0, 10**18 - 1)


def pieces(draw, data):
    """Cut bytes somewhere."""
    cuts = sorted(draw(strategies.lists(strategies.integers(0, len(data)), max_size=8)))
    return [data[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(data)])]


@strategies.composite
def replies(draw):
    """(bytes as they come, in pieces; the replies that they are)."""
    sent, expected = b'', []
    for _ in range(draw(strategies.integers(1, 5))):
        code = draw(strategies.integers(100, 659))
        first, last = draw(LINE), draw(LINE)
        middle = [line for line in draw(strategies.lists(LINE, max_size=4))
                  if line[:3] != b'%d' % code or line[3:4] not in (b' ', b'')]
        end = draw(strategies.sampled_from([b'\r\n', b'\n']))
        if draw(strategies.booleans()):
            sent += b'%d %s' % (code, last) + end
            expected.append(Reply(code, os.fsdecode(last)))
        else:
            sent += end.join([b'%d-%s' % (code, first), *middle, b'%d %s' % (code, last)]) + end
            expected.append(Reply(code, '\n'.join(map(os.fsdecode, [first, *middle, last]))))
    return pieces(draw, sent), expected


def read(pieces):
    reader, found = ReplyReader(), []
    for piece in pieces:
        reader.receive(piece)
        while (reply := reader.next()) is not None:
            found.append(reply)
    return found, reader


class Replies(unittest.TestCase):

    @given(replies())
    def test_replies_are_read_however_they_are_cut(self, given):
        data, expected = given
        found, reader = read(data)
        self.assertEqual(expected, found)
        self.assertTrue(reader.empty)

    @given(strategies.lists(BYTES, max_size=5))
    def test_no_bytes_break_the_reader(self, data):
        try:
            found, _ = read(data)
        except ProtocolError as e:
            self.assertTrue(str(e).isprintable())
            return
        for reply in found:
            self.assertTrue(100 <= reply.code < 700)
            self.assertTrue(str(reply).isprintable())
            protocol.features(reply)
            protocol.size(reply)
            protocol.time(reply.text)
            protocol.mlst_entry(reply)
            self.assertTrue(0 < (protocol.epsv_port(reply) or 1) < 65536)
            self.assertTrue(0 < (protocol.pasv_address(reply) or ('', 1))[1] < 65536)

    def test_what_is_no_reply_is_refused(self):
        for line in (b'hello\r\n', b'\r\n', b'99 x\r\n', b'700 x\r\n', b'2000\r\n', b' 220 x\r\n',
                     b'220_x\r\n', b'2\xb20 x\r\n'):
            with self.subTest(line), self.assertRaises(ProtocolError):
                read([line])

    def test_text_may_be_missing_or_latin_1(self):
        self.assertEqual([Reply(220, ''), Reply(220, ''), Reply(331, 'Gr\udcfc\udcdfe')],
                         read([b'220\r\n220 \r\n331 Gr\xfc\xdfe\r\n'])[0])

    def test_long_replies_are_an_error_whether_or_not_they_have_lines(self):
        for data in (b'220 ' + b'x' * 100_000, b'220-' + b'x\r\n' * 100_000,
                     b'220-\r\n' + b'220-x\r\n' * 50_000):
            with self.assertRaises(ProtocolError):
                read(data[n:n + 4096] for n in range(0, len(data), 4096))

    def test_long_error_texts_are_cut_for_the_log(self):
        self.assertLess(len(str(Reply(550, 'x' * 60_000))), 1000)

    def test_the_dot_of_the_server_is_left_to_our_sentence(self):
        self.assertEqual(['550 No', '550 No... why?', '550'], [
            str(Reply(550, text)) for text in ('No.', 'No... why?', '')])

    def test_errors(self):
        for code, kind in ((450, TemporaryError), (550, PermanentError), (501, PermanentError),
                           (500, NotSupported), (502, NotSupported), (503, NotSupported),
                           (504, NotSupported), (350, ProtocolError)):
            error = protocol.error(Reply(code, 'No.'))
            self.assertIs(kind, type(error))
            self.assertEqual((code, '%d No' % code), (error.reply.code, str(error)))

    def test_line_breaks_do_not_reach_the_log(self):
        self.assertEqual('550 a\\x0ab\\x1b[31m', str(Reply(550, 'a\nb\x1b[31m')))


class Commands(unittest.TestCase):

    @given(NAME)
    def test_a_name_arrives_with_the_very_bytes(self, name):
        self.assertEqual(b'RETR ' + name + b'\r\n', protocol.command('RETR', os.fsdecode(name)))

    @given(strategies.text(max_size=40))
    @example('a\r\nDELE b')
    @example('\0')
    def test_one_command_is_one_line(self, text):
        try:
            line = protocol.command('RETR', text)
        except ValueError:      # UnicodeEncodeError is one, too
            return
        self.assertEqual(1, line.count(b'\n'))
        self.assertEqual(1, line.count(b'\r'))
        self.assertNotIn(b'\0', line)

    def test_line_ends_are_refused(self):
        for bad in '\r', '\n', '\0':
            for argument in bad, 'a' + bad, bad + 'a', 'a' + bad + 'DELE b':
                with self.assertRaises(ValueError):
                    protocol.command('RETR', argument)
        with self.assertRaises(ValueError):
            protocol.command('RETR', 'x' * 5000)


class Addresses(unittest.TestCase):

    @given(strategies.integers(-5, 70000), strategies.sampled_from('|!,~'),
           strategies.sampled_from(['', '10.0.0.1', '::1']),
           strategies.sampled_from(['(%s)', '%s', '<%s>']))
    def test_epsv(self, port, mark, address, form):
        family = '' if not address else '2' if ':' in address else '1'
        text = mark.join(['', family, address, str(port), ''])
        self.assertEqual(port if 0 < port < 65536 else None,
                         protocol.epsv_port(Reply(229, 'Entering ' + form % text)))

    @given(strategies.integers(0, 300), strategies.integers(0, 300),
           strategies.sampled_from(['(%s).', '=%s', '%s']), strategies.sampled_from([',', ', ']))
    def test_pasv(self, high, low, form, comma):
        numbers = comma.join(map(str, (10, 0, 0, 1, high, low)))
        good = high < 256 and low < 256 and (high or low)
        reply = Reply(227, 'Entering Passive Mode ' + form % numbers)
        self.assertEqual(('10.0.0.1', high * 256 + low) if good else None,
                         protocol.pasv_address(reply))

    def test_nonsense_is_none(self):
        for text in '', '(||||)', '(|||x|)', '(|||123456|)', '(||12|)', '(|||12|3|)', '(1,2,3,4,5)':
            with self.subTest(text):
                self.assertIsNone(protocol.epsv_port(Reply(229, text)))
                self.assertIsNone(protocol.pasv_address(Reply(227, text)))


class Numbers(unittest.TestCase):

    @given(SIZE)
    def test_size(self, size):
        self.assertEqual(size, protocol.size(Reply(213, '%d' % size)))

    def test_what_is_no_size(self):
        for text in '', '-1', '1e3', '1 2', '٣', '²', '0x10', '9' * 30, '+5', '1_000':
            self.assertIsNone(protocol.size(Reply(213, text)), text)

    @given(strategies.datetimes(datetime.datetime(1970, 1, 1), datetime.datetime(9999, 12, 31)))
    def test_time(self, when):
        seconds = (when - datetime.datetime(1970, 1, 1)) // datetime.timedelta(seconds=1)
        text = when.strftime('%Y').zfill(4) + when.strftime('%m%d%H%M%S')
        self.assertEqual(seconds * 10**9, protocol.time(text))
        self.assertEqual(seconds * 10**9 + when.microsecond * 1000,
                         protocol.time(text + '.%06d' % when.microsecond))

    @given(strategies.text(max_size=20))
    @example('20240230000000')
    @example('20231301000000')
    @example('20230101250000')
    @example('00000000000000')
    @example('19691231235959')
    @example('٢٠٢٣٠١٠١٠٠٠٠٠٠')
    @example('19100101000000')
    def test_no_text_breaks_it(self, text):
        found = protocol.time(text)
        self.assertTrue(found is None or found >= 0)

    def test_what_is_no_time(self):
        for text in ('', '2023', '20240230000000', '20231301000000', '20230101240000',
                     '20230101006000', '19691231235959',
                     '20230101000000x', '20230101000000.', '٢٠٢٣٠١٠١٠٠٠٠٠٠', '-0230101000000'):
            self.assertIsNone(protocol.time(text), text)

    def test_a_leap_second_is_one(self):
        self.assertEqual(1483228800 * 10**9, protocol.time('20161231235960'))


class Features(unittest.TestCase):

    def test_they_are_read(self):
        reply = Reply(211, 'Features:\n MDTM\n mlst size*;Modify*;\n  REST STREAM\nUTF8\nEnd')
        self.assertEqual({'MDTM': '', 'MLST': 'size*;Modify*;', 'REST': 'STREAM'},
                         protocol.features(reply))

    def test_an_error_means_none(self):
        for reply in (Reply(500, 'MLST\n MLST\n'), Reply(211, ''), Reply(211, ' MLST'),
                      Reply(502, '')):
            self.assertEqual({}, protocol.features(reply))

    @given(strategies.text(max_size=100))
    def test_no_text_breaks_it(self, text):
        for name in protocol.features(Reply(211, text)):
            self.assertEqual(name.upper(), name)


class Listings(unittest.TestCase):

    @given(NAME, SIZE, strategies.integers(0, 2**33),
           strategies.sampled_from(['file', 'FILE', 'dir', 'OS.unix=slink']))
    def test_mlsd(self, name, size, seconds, kind):
        when = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)
        facts = 'Type=%s;Size=%d;Modify=%s;Perm=adfr; ' % (
            kind, size, when.strftime('%Y%m%d%H%M%S'))
        line = facts.encode() + name
        if name.startswith(b' '):
            return self.assertIsNone(protocol.mlsx_entry(line))
        self.assertEqual(
            Entry(os.fsdecode(name), size, seconds * 10**9,
                  {'file': 'file', 'dir': 'dir'}.get(kind.lower(), 'other')),
            protocol.mlsx_entry(line))

    def test_names_with_a_slash_or_a_blank_before_them_are_no_certain_ones(self):
        for name in b'./a', b'/out/a', b'out/a', b' a':
            self.assertIsNone(protocol.mlsx_entry(b'type=file;size=5; ' + name))
            self.assertIsNone(protocol.nlst_entry(name))
        for line in (b'total 5', b'-rw-r--r-- 1 a b 5 Nov 25 19:31 a', b'\xef\xbb\xbfa.xml'):
            self.assertIsNone(protocol.nlst_entry(line))

    @given(BYTES)
    @example(b'')
    @example(b' ')
    @example(b'; x')
    @example(b'size=;type=; ')
    @example(b'size=5 x')
    @example(b'type=file;size=99999999999999999999999;modify=1; ../../etc/passwd')
    def test_no_bytes_break_it(self, line):
        for entry in protocol.mlsx_entry(line), protocol.nlst_entry(line):
            if entry is not None:
                self.assertIsInstance(entry.name, str)
                self.assertEqual(entry.name, os.fsdecode(os.fsencode(entry.name)))
                self.assertTrue(entry.size is None or 0 <= entry.size < 10**19)
                self.assertIn(entry.kind, (None, 'file', 'dir', 'other', 'self'))
                self.assertTrue(printable(entry.name).isprintable())

    def test_wrong_facts_are_unknown(self):
        self.assertEqual(Entry('x', None, None, 'file'),
                         protocol.mlsx_entry(b'type=file;size=-1;modify=yesterday; x'))
        self.assertEqual(Entry('x ', None, None, None), protocol.mlsx_entry(b' x '))
        self.assertIsNone(protocol.mlsx_entry(b'type=file;size=1;'))
        self.assertIsNone(protocol.mlsx_entry(b'type; x'))

    def test_the_directory_itself_is_no_entry(self):
        self.assertEqual('self', protocol.mlsx_entry(b'type=cdir; .').kind)
        self.assertEqual('self', protocol.mlsx_entry(b'type=pdir; /').kind)
        self.assertEqual(['self', 'self', None],
                         [protocol.nlst_entry(name).kind for name in (b'.', b'..', b'...')])

    @given(strategies.lists(NAME, max_size=20), strategies.data())
    def test_lines_are_cut_however_they_come(self, names, data):
        sent = b''.join(name + b'\r\n' for name in names)
        self.assertEqual(names, self.lines(pieces(data.draw, sent)))

    @given(strategies.lists(NAME, min_size=2, max_size=20), strategies.data())
    def test_bare_line_feeds_and_a_missing_last_one(self, names, data):
        self.assertEqual(names, self.lines(pieces(data.draw, b'\n'.join(names))))

    @settings(max_examples=50)
    @given(strategies.lists(BYTES, max_size=10))
    def test_no_bytes_break_lines(self, data):
        for line in self.lines(data):
            self.assertTrue(line)

    def test_a_line_without_end_is_an_error(self):
        lines = Lines()
        with self.assertRaises(ProtocolError):
            for _ in range(1000):
                lines.receive(b'x' * 1000)

    @staticmethod
    def lines(data):
        lines = Lines()
        return [line for piece in data for line in lines.receive(piece)] + lines.finish()


class Printable(unittest.TestCase):

    @given(BYTES)
    def test_any_name_can_be_logged_and_told_apart(self, name):
        text = printable(os.fsdecode(name))
        self.assertTrue(text.isprintable())
        text.encode('utf-8')

    def test_examples(self):
        for name, shown in ((b'K\xc3\xb6ln.xml', 'Köln.xml'), (b'K\xf6ln', 'K\\xf6ln'),
                            (b'a\r\nb', 'a\\x0d\\x0ab'), (b'\x1b[2J', '\\x1b[2J')):
            self.assertEqual(shown, printable(os.fsdecode(name)))
