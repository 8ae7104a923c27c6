"""Servers that list, and tell of files, in a way of their own."""
from zeit.cds.ftp.tests.support import Strange
from zeit.cds.interfaces import Entry, PermanentError, TemporaryError
from zeit.cds.memory import read
from zeit.cds.pipelined import pipelined
from zeit.cds.testing.cases.stub import DAY, NoMLSD, Session


class Lines(Strange):
    """Listings with odd lines."""

    def listed(self, kind, **kw):
        session = self.begin(kind, **kw)
        self.assertEqual(list(session.entries()), pipelined(session).entries())
        return sorted(session.entries())

    def nlst(self, *lines):
        class Names(NoMLSD):
            def do_NLST(self, argument):
                self.send_data(b''.join(line + b'\r\n' for line in lines))
        return Names

    def mlsd(self, *lines):
        class Facts(Session):
            def do_MLSD(self, argument):
                self.send_data(b''.join(line + b'\r\n' for line in lines))
        return Facts

    both = [Entry('a', 3, None, 'file'), Entry('b', 1, None, 'file')]

    def test_long_names(self):
        kind = self.nlst(b'total 8', b'-rw-r--r-- 1 me us 3 Nov 25 19:31 a',
                         b'-rw-r--r-- 1 me Domain Users 1 Nov 25 19:31 b',
                         b'drwxr-xr-x 2 me us 4096 Nov 25 19:31 d')
        self.assertEqual([*self.both, Entry('d', kind='dir')], self.listed(kind))

    def test_byte_order_mark(self):
        self.assertEqual([self.both[0], Entry('b')],
                         self.listed(self.nlst(b'\xef\xbb\xbfa', b'b')))

    def test_directory_beside_paths(self):
        kind = self.nlst(b'/a', b'/d')
        self.assertEqual([self.both[0], Entry('d', kind='dir')], self.listed(kind, dirs=['d']))

    def test_path_that_leads_elsewhere(self):
        """It is given as it is listed: somebody has to be told."""
        self.assertEqual([Entry('/x/c'), self.both[0]], self.listed(self.nlst(b'/x/a', b'/x/c')))

    def test_facts(self):
        lines = (b'size=9;type=file;unix.group=Domain Users; a', b' Type=File; b')
        self.assertEqual(self.both, self.listed(self.mlsd(*lines)))
        self.assertEqual(self.both, self.listed(self.mlsd(
            b'type=cdir; /out', b'type=pdir; /', b'type=file;size=3;a', b'type=file;  b')))

    def test_name_with_a_blank_before_it(self):
        files = {' a': b'abc'}
        self.assertEqual([Entry(' a', 3, DAY * 10**9, 'file')], self.listed(
            self.mlsd(b'type=file;size=3;modify=20231114221320;  a'), files=files))

    def test_empty_directory(self):
        for kind in self.nlst(), self.nlst(b'total 0'), self.mlsd(), self.mlsd(b'type=cdir; .'):
            self.assertEqual([], self.listed(kind))

    def test_no_sense(self):
        for kind in self.nlst(b'./x'), self.mlsd(b'rubbish'), self.mlsd(b'type=file; ./x'):
            if kind.do_MLSD is not NoMLSD.do_MLSD:
                kind.do_NLST = lambda self, argument: self.say('502 No.')
            with self.assertRaisesRegex(PermanentError, 'makes no sense: .*(x|rubbish)'):
                list(self.begin(kind).entries())

    def test_names_where_facts_make_no_sense(self):
        self.assertEqual([Entry('a'), Entry('b')], self.listed(self.mlsd(b'rubbish')))


class Ends(Strange):
    """What ends a listing, and what comes instead."""

    def ending(self, text, first='150 here'):
        class Ending(NoMLSD):
            def do_NLST(self, argument):
                if first is None:
                    self.connection().close()
                    return self.say(text)
                self.send_data(b'', first, text)
        return Ending

    def test_empty(self):
        for text in '226 0 matches total', '250 Done.', '226 Directory send OK.':
            self.assertEqual([], list(self.begin(self.ending(text)).entries()))

    def test_empty_without_data(self):
        for text in ('226 Nothing here.', '550 No members found.', '450 No files found',
                     '550 No such file or directory.'):
            session, asked = self.begin(self.ending(text, None)), []
            self.assertEqual([], list(session.entries()))
            self.assertEqual([], pipelined(session).entries(also=asked.append))
            self.assertEqual(1, len(asked))

    def test_unreadable(self):
        for text in ('226 Transfer done (but failed to open directory).', '226 Permission denied.',
                     "250 Can't read the directory"):
            for first in '150 here', None:
                with self.assertRaisesRegex(PermanentError, 'does not list the directory: '):
                    list(self.begin(self.ending(text, first)).entries())
        with self.assertRaisesRegex(PermanentError, '550 Permission denied'):
            list(self.begin(self.ending('550 Permission denied: no such luck', None)).entries())

    def test_facts_that_are_refused_where_names_are_just_empty(self):
        """ProFTPD."""
        class Unreadable(Session):
            def do_MLSD(self, argument):
                self.say('550 /: Operation not permitted')

            def do_NLST(self, argument):
                self.send_data(b'')

        with self.assertRaisesRegex(PermanentError, '550 /: Operation not permitted'):
            list(self.begin(Unreadable).entries())

    def test_nothing_is_listed_but_by_list(self):
        """inetutils says 550 of a directory that may not be read; LIST tells."""
        class Unreadable(NoMLSD):
            lines = b'.: Permission denied\r\n'

            def do_NLST(self, argument):
                self.say('550 No files found.')

            def do_LIST(self, argument):
                self.send_data(self.lines)

        session = self.begin(Unreadable)
        self.assertEqual([], list(session.entries()))   # we know of nothing
        session.write('read', b'x')
        for verb in lambda: list(session.entries()), pipelined(session).entries:
            self.assertRaisesRegex(PermanentError, 'no sense: .: Permission denied', verb)
        Unreadable.lines = b'total 3\r\n-rw-r--r-- 1 me us 3 Nov 25 19:31 a\r\n'
        self.assertEqual([Entry('a', 3, None, 'file')], list(session.entries()))
        Unreadable.lines = b''                          # it is just not shown
        self.assertEqual([], list(session.entries()))
        session.remove('read')
        Unreadable.lines = b'.: Permission denied\r\n'
        self.assertEqual([], list(session.entries()))

    def test_ascii_only(self):
        class ASCII(NoMLSD):
            type = 'A'

            def do_TYPE(self, argument):
                self.type = argument
                super().do_TYPE(argument)

            def do_NLST(self, argument):
                if self.type != 'A':
                    return self.say('550 TYPE A first.')
                super().do_NLST(argument)

            def do_SIZE(self, argument):
                if self.type != 'I':
                    return self.say('550 TYPE I first.')
                super().do_SIZE(argument)

        session, asked = self.begin(ASCII), []
        for n in 1, 2:
            self.assertEqual([Entry('a'), Entry('b')], pipelined(session).entries(
                also=lambda batch: asked.append(batch.stat('a'))))
            self.assertEqual([3] * n, [pending.get().size for pending in asked])
        self.assertEqual(4, len(self.said('NLST')))     # three ways to it, then this one

    def test_mlsd_that_feat_does_not_mention(self):
        class Unmentioned(Session):
            features = 'SIZE', 'EPSV'

            def do_NLST(self, argument):
                self.say('502 No.')

        session = self.begin(Unmentioned, dirs=['d', 'd/e'])
        self.assertEqual(['a', 'b', 'd'], [entry.name for entry in session.entries()])
        self.assertEqual(2, len(self.said('NLST')[:2]))

    def test_without_feat(self):
        class NoFeat(Session):
            def do_FEAT(self, argument):
                self.say('502 No.')

            def do_NLST(self, argument):
                self.say('502 No.')

            do_SIZE = do_MDTM = do_NLST

            def do_MLSD(self, argument):
                directory = self.path(argument)
                head = directory + '/' if directory else ''
                self.send_data(b''.join(
                    self.encode('%s %s\r\n' % (self.store.facts(head + name), name))
                    for name in self.store.children(directory)))

        session = self.begin(NoFeat, dirs=['d', 'd/e'])
        self.assertEqual(3, session.stat('a').size)
        self.assertEqual(['a', 'b', 'd'], [entry.name for entry in session.entries()])
        self.assertEqual((['e'], ['e']), (session.names('d'), session.names('d')))
        self.assertEqual((True, False), (session.exists('d/e'), session.exists('d/f')))


class Missing(Strange):
    """What says that there is no such file."""

    def refusing(self, text, verbs=('SIZE', 'MDTM', 'RETR')):
        class Refusing(NoMLSD):
            def obey(self, line):
                verb, _, name = line.partition(' ')
                if verb in verbs and self.path(name) not in self.store.files:
                    self.store.log.append(line)
                    return self.say(text.replace('NAME', name))
                return super().obey(line)
        return Refusing

    def test_codes(self):
        for text in '450 NAME not found', '451 Error.', '550 No.', '551 NAME?', '553 No.':
            session = self.begin(self.refusing(text))
            for _ in range(3):
                self.assertIsNone(session.stat('c'))
            self.assertEqual(3, session.stat('a').size)
            self.assertRaises(PermanentError, read, session, 'c')
            self.assertRaises(PermanentError, pipelined(session).read, Entry('c'), None)
            self.assertLessEqual(len([line for line in self.said('SIZE') if 'none' in line]), 1)

    def test_busy_is_not_missing(self):
        class Busy(NoMLSD):
            def do_SIZE(self, argument):
                self.say('450 %s' % ('No more.' if argument == 'a' else 'No.'))

        self.assertRaises(TemporaryError, self.begin(Busy).stat, 'a')
        self.assertRaises(TemporaryError, self.begin(self.refusing('450 Busy')).stat, 'c')

    def test_directories(self):
        class Lenient(NoMLSD):
            def do_RMD(self, argument):
                if self.store.children(self.path(argument)):
                    return self.say('451 Not empty.')
                super().do_RMD(argument)

            def do_MKD(self, argument):
                if self.path(argument) in self.store.dirs:
                    return self.say('450 Not made.')
                super().do_MKD(argument)

        session = self.begin(Lenient, dirs=['d', 'd/e'])
        self.assertRaises(PermanentError, session.remove_directory, 'd')
        self.assertRaises(PermanentError, session.make_directory, 'd')


class Blind(Strange):
    """SIZE or MLST denies what the other one knows, or knows too much."""

    def blind(self, verb):
        class Blind(Session):
            pass
        setattr(Blind, 'do_' + verb, lambda self, argument: self.say('550 No such file.'))
        return Blind

    def test_either(self):
        for verb in 'SIZE', 'MLST':
            session = self.begin(self.blind(verb), dirs=['d'])
            for _ in range(4):
                with pipelined(session).batch() as batch:
                    pendings = [batch.stat(name, regular, time) for name in 'ac'
                                for regular in (False, True) for time in (False, True)]
                self.assertEqual([3] * 4 + [None] * 4, [
                    entry and entry.size for entry in (pending.get() for pending in pendings)])
            self.assertLess(len(self.said(verb)), 16)       # it is not asked any more
            self.assertEqual((True, True, False), tuple(map(session.exists, 'adc')))
            self.assertEqual(['file', 'dir', None], list(map(session.kind, 'adc')))
            self.assertIsNotNone(session.stat('a').modified)

    def test_pipe(self):
        """SIZE knows files, but not this one."""
        class Pipe(Session):
            def do_SIZE(self, argument):
                return self.say('550 No.') if argument == 'b' else super().do_SIZE(argument)

        session = self.begin(Pipe)
        self.assertEqual(3, session.stat('a').size)
        self.assertIsNone(session.stat('b'))
        self.assertIn('SIZE', session.findings.seen)

    def test_directory_with_a_size(self):
        class Sized(NoMLSD):
            def do_SIZE(self, argument):
                if argument == '.' or self.path(argument) in self.store.dirs:
                    return self.say('213 4096')
                super().do_SIZE(argument)

            def do_RNFR(self, argument):        # Twisted
                self.say('350 Go on.')

        session = self.begin(Sized, dirs=['d'])
        self.assertIsNone(session.stat('d'))
        self.assertEqual(3, session.stat('a').size)
        self.assertEqual(['file', 'dir', None], list(map(session.kind, 'adc')))
        self.assertEqual((True, True, False), tuple(map(session.exists, 'adc')))
        self.assertEqual([], self.said('RNFR'))
        self.assertEqual(b'abc', read(session, 'a'))    # we came back

    def test_link_to_a_directory(self):
        """CDUP would lead elsewhere."""
        class Linked(NoMLSD):
            def do_CWD(self, argument):
                if argument == 'link':
                    self.cwd = 'x/y'
                    return self.say('250 ok')
                super().do_CWD(argument)

        session = self.begin(Linked, dirs=['x', 'x/y'])
        self.assertEqual('dir', session.kind('link'))
        self.assertEqual(b'abc', read(session, 'a'))
