"""Who holds a lock: the token, and whether its process still runs."""
import contextlib
import os
import subprocess
import sys
import unittest
import unittest.mock

import zope.component.testing
import zope.interface.verify
from hypothesis import given, strategies

from zeit.cds.interfaces import ILockOwner, ILockOwners
from zeit.cds.lock import token as owner
from zeit.cds.lock.token import Owner


class Tokens(unittest.TestCase):

    def test_token_is_a_file_name_of_printable_ascii_without_spaces(self):
        token = Owner.me()._replace(user='Jürgen Müller/../\r\n\0', host='%,=').token
        self.assertRegex(token, r'\Azeit\.cds,[!-~]+\Z')
        self.assertNotIn('/', token)
        self.assertEqual('Jürgen Müller/../\r\n\0', Owner.parse(token).user)

    def test_token_stays_a_file_name_however_long_the_names_are(self):
        self.assertLess(len(Owner.me()._replace(user='u' * 300, host='h' * 64).token), 250)

    def test_each_token_is_another(self):
        self.assertNotEqual(Owner.me().token, Owner.me().token)

    def test_what_zeit_cds_did_not_make_is_no_owner(self):
        token = Owner.me().token
        for text in ('', 'zeit.cds', 'zeit.cds,', 'other' + token, token + ',x=1',
                     token.partition(',pid')[0], 'read', '\n'):
            self.assertIsNone(Owner.parse(text), text)
        self.assertIsNotNone(Owner.parse(token + '\r\n'))

    @given(strategies.text())
    def test_no_text_breaks_parsing(self, text):
        for token in text, 'zeit.cds,' + text, Owner.me().token + text:
            found = Owner.parse(token)
            self.assertTrue(found is None or isinstance(found.gone, bool))

    @given(strategies.lists(strategies.text(), min_size=len(Owner._fields),
                            max_size=len(Owner._fields)))
    def test_in_words_it_is_printable_and_short(self, values):
        text = str(Owner(*values))
        self.assertTrue(text.isprintable(), text)
        self.assertLess(len(text), 2000)

    def test_what_a_forged_one_says_is_escaped(self):
        for field in 'pid', 'user', 'host', 'since':
            text = str(Owner.me()._replace(**{field: 'x\n\x1b[2J\u202e' + 'y' * 1000}))
            self.assertIn(r'x\x0a\x1b[2J\x202ey', text)
            self.assertLess(len(text), 250)

    @given(strategies.lists(strategies.text(max_size=10), min_size=len(Owner._fields),
                            max_size=len(Owner._fields)))
    def test_token_round_trips(self, values):
        try:
            ''.join(values).encode()
        except UnicodeEncodeError:
            return
        self.assertEqual(Owner(*values), Owner.parse(Owner(*values).token))


class Gone(unittest.TestCase):

    def test_we_are_not(self):
        self.assertFalse(Owner.me().gone)

    def test_a_process_that_ended_is(self):
        process = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE)
        me = Owner.me()._replace(pid=str(process.pid), start=owner._start(process.pid))
        self.assertFalse(me.gone)
        process.communicate(b'\n')
        self.assertTrue(me.gone)

    def test_a_zombie_is(self):
        process = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE)
        me = Owner.me()._replace(pid=str(process.pid), start=owner._start(process.pid))
        process.stdin.write(b'\n')
        process.stdin.close()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        self.assertTrue(me.gone)
        process.wait()

    def test_a_reused_process_number_is(self):
        self.assertTrue(Owner.me()._replace(start='1').gone)

    def test_another_start_of_the_machine_is(self):
        with self.files_read({'/etc/machine-id': 'c0ffee'}):
            self.assertTrue(Owner.me()._replace(boot='other').gone)

    def test_a_host_with_a_long_name_knows_itself(self):
        with unittest.mock.patch('socket.gethostname',
                                 lambda: 'import-of-the-newsroom-28391234-' * 2):
            owner = Owner.parse(Owner.me().token)
            self.assertTrue(owner.here)
            self.assertTrue(owner._replace(start='1').gone)

    def test_of_another_host_nobody_knows(self):
        for change in dict(host='other'), dict(machine='other'):
            self.assertFalse(Owner.me()._replace(start='1', boot='other', **change).gone)

    def test_a_number_that_is_none_is(self):
        self.assertTrue(Owner.me()._replace(pid='no number').gone)

    def test_a_path_or_no_text_at_all_is_no_number(self):
        for pid in '', '\0', '../self', '../../tmp/x', '-1', '\u0661', '1 ':
            with self.subTest(pid=pid):
                self.assertTrue(Owner.me()._replace(pid=pid).gone)

    def test_what_has_no_start(self):
        self.assertEqual(['', '', ''], [owner._start(pid) for pid in ('x', '', '9' * 30)])

    def test_nothing_is_done_to_the_process(self):
        with unittest.mock.patch('os.kill') as kill, self.files_read({}):
            self.assertEqual(owner.HIDDEN, owner._start('123'))
        kill.assert_called_once_with(123, 0)

    def test_a_user_without_a_name(self):
        with unittest.mock.patch('pwd.getpwuid', side_effect=KeyError):
            self.assertEqual(str(os.getuid()), owner._user())

    def test_what_proc_tells(self):
        for state, fields, start in (('S', 20, '7'), ('Z', 20, ''), ('X', 20, ''), (
                'S', 19, owner.HIDDEN)):
            line = '1 (a) b) ' + ' '.join([state, *'0' * (fields - 2), '7'])
            with unittest.mock.patch('zeit.cds.lock.token._read', lambda path, line=line: line):
                self.assertEqual(start, owner._start(os.getpid()))

    def test_a_number_that_nobody_can_have_is(self):
        self.assertTrue(Owner.me()._replace(pid='9' * 30).gone)

    def test_without_proc(self):
        process = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE)
        with self.files_read({}):
            me = Owner.me()
            other = me._replace(pid=str(process.pid))
            self.assertFalse(me.gone)
            self.assertFalse(other.gone)
            process.communicate(b'\n')
            self.assertTrue(other.gone)
            self.assertTrue(me._replace(pid='no number').gone)

    def test_where_proc_hides_it_we_are_not(self):
        """As with hidepid, and another user: its own process sees itself."""
        process = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE)
        other = Owner.me()._replace(pid=str(process.pid), start=owner._start(process.pid))
        init = Owner.me()._replace(pid='1', start=owner._start(1))
        with self.files_read({}):
            self.assertFalse(other.gone)
            self.assertFalse(init.gone)
            process.communicate(b'\n')
            self.assertTrue(other.gone)

    def test_another_start_of_a_machine_without_identity_may_be_another_machine(self):
        with self.files_read({'/etc/machine-id': ''}):
            me = Owner.me()
            self.assertFalse(me._replace(boot='other').gone)
            self.assertFalse(me._replace(boot='other').here)
            self.assertTrue(me._replace(start='1').here)

    def test_over_for_this_process_is_what_it_does_not_work_under(self):
        me, other = Owner.me(), Owner.me()
        self.assertEqual('this very process could not remove it', me.over)
        with me.in_use(), other.in_use():
            self.assertEqual('', Owner.parse(me.token).over)
            if not (child := os.fork()):
                os._exit(me.over != '' or other.over != '' or Owner.me().over == '')
            self.assertEqual(0, os.waitpid(child, 0)[1])
        self.assertNotEqual('', me.over)
        self.assertEqual('that process has ended', me._replace(start='1').over)
        self.assertEqual('', me._replace(host='other').over)

    def test_over_is_not_what_the_parent_of_a_fork_works_under_no_more(self):
        me = Owner.me()
        if not (child := os.fork()):
            os._exit(me.over != '')
        self.assertEqual(0, os.waitpid(child, 0)[1])

    @contextlib.contextmanager
    def files_read(self, contents):
        """Let these be the files that tell of the machine and its processes: {path: str}."""
        def forget():
            for cached in owner._machine_id, owner._machine:
                cached.cache_clear()
        identity = {'/etc/machine-id': owner._machine_id()}
        owner._boot()       # stays what it is
        with unittest.mock.patch('zeit.cds.lock.token._read',
                                 lambda path: {**identity, **contents}.get(path, '')):
            forget()
            try:
                yield
            finally:
                forget()


class Elsewhere(unittest.TestCase):
    """An application may know of processes on other hosts."""

    def setUp(self):
        zope.component.testing.setUp()
        self.addCleanup(zope.component.testing.tearDown)
        self.asked = []
        zope.component.provideUtility(self, ILockOwners)

    def over(self, asked):
        self.asked.append(asked)
        return 'it is known to be dead'

    def test_what_it_knows_counts(self):
        other = Owner.me()._replace(machine='other')
        self.assertEqual('it is known to be dead', other.over)
        self.assertEqual([other], self.asked)
        zope.interface.verify.verifyObject(ILockOwner, other)

    def test_it_is_not_asked_of_this_host(self):
        me = Owner.me()
        with me.in_use():
            self.assertEqual('', me.over)
        self.assertEqual('that process has ended', me._replace(start='1').over)
        self.assertEqual([], self.asked)
