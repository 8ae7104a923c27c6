"""What a person is shown of locks, and the removal of what they were shown."""
import unittest

from zeit.cds.interfaces import Locked, PermanentError
from zeit.cds.lock.directory import MUTEX
from zeit.cds.lock.lockfile import LockFile
from zeit.cds.lock.tests.local import Intervening, Plain
from zeit.cds.lock.tests.places import dead, everywhere, Locking, refuse
from zeit.cds.lock.token import Owner
from zeit.cds.testing import PYFTPDLIB_LAYER, VSFTPD_LAYER


FORGED = 'x\x1b[2J\nINFO forged\r\u202e\x9b'


class Inspection(Locking):

    def inspect(self):
        with self.open() as session:
            return LockFile().inspect(session)

    def break_(self, lock):
        with self.open() as session:
            LockFile().break_(session, lock)

    def test_who_holds_what(self):
        self.assertEqual([], self.inspect())
        owner = dead()
        token = owner.token.encode()
        self.put('read', token, 10**9)
        self.put('write', b'whoever')
        self.leave_mutex(owner.token)
        read, write, mutex = self.inspect()
        self.assertEqual(('read', True, 10**18, token), (
            read.name, read.ours, read.since, read.contents))
        self.assertIn('process %s of user' % owner.pid, read.owner)
        self.assertLess(10**16, read.age)
        self.assertEqual(('write', 'unknown', False), write[:3])
        self.assertEqual(b'whoever', write.contents)
        self.assertEqual((MUTEX, True, token), (mutex.name, mutex.ours, mutex.contents))
        self.assertIn('process %s of user' % owner.pid, mutex.owner)
        for lock in read, write, mutex:
            self.break_(lock)
        self.assertEqual({}, self.there())

    def test_what_a_lock_says_is_printable(self):
        for field in Owner._fields:
            with self.subTest(field=field):
                token = Owner.me()._replace(**{field: FORGED}).token
                self.put('read', token.encode())
                lock, = self.inspect()
                self.assertTrue(lock.ours)
                self.assertTrue(lock.owner.isprintable(), lock.owner)
                with self.assertRaises(Locked) as caught:
                    self.break_(lock._replace(contents=b'another'))
                self.assertTrue(str(caught.exception).isprintable())

    def test_what_a_name_in_the_mutex_says_is_printable(self):
        for field in Owner._fields:
            token = Owner.me()._replace(**{field: FORGED}).token
            self.leave_mutex(token)
            lock, = self.inspect()
            self.assertTrue(lock.owner.isprintable(), lock.owner)
            self.break_(lock)
        self.assertEqual({}, self.there())

    def test_foreign_lock_with_the_same_contents_is_another_by_its_time(self):
        self.put('read', b'whoever', 10**9)
        shown, = self.inspect()
        self.put('read', b'whoever', 10**9 + 60)
        self.assertRaises(Locked, self.break_, shown)
        self.assertEqual({'read': b'whoever'}, self.there())

    def test_one_of_ours_that_was_renewed_is_the_same(self):
        token = Owner.me()._replace(host='elsewhere').token.encode()
        self.put('read', token, 10**9)
        shown, = self.inspect()
        self.put('read', token, 10**9 + 60)
        self.break_(shown)
        self.assertEqual({}, self.there())

    def test_mutex_of_another_process_is_another(self):
        self.leave_mutex('first')
        shown, = self.inspect()
        with self.open() as session:
            session.remove_directory(MUTEX + '/first')
            self.assertRaises(Locked, self.break_, shown)
            session.make_directory(MUTEX + '/second')
            with self.assertRaises(Locked) as caught:
                self.break_(shown)
            self.assertIn('another one now', str(caught.exception))
            self.assertEqual(['second'], session.names(MUTEX))
        self.break_(self.inspect()[0])
        self.assertEqual({}, self.there())

    def test_a_file_in_the_place_of_the_mutex(self):
        self.put(MUTEX, b'whoever')
        shown, = self.inspect()
        self.assertEqual((MUTEX, 'nobody (it is a file, and keeps all others out)', False),
                         shown[:3])
        self.break_(shown)
        self.assertEqual({}, self.there())

    def test_mutex_that_is_gone(self):
        self.leave_mutex()
        shown, = self.inspect()
        self.assertEqual(('unknown', b''), (shown.owner, shown.contents))
        self.break_(shown)
        self.assertRaises(PermanentError, self.break_, shown)


class Odd(Locking, Plain, unittest.TestCase):
    """Servers that tell less."""

    def inspect(self, **calls):
        return LockFile().inspect(Intervening(self.open(), **calls))

    def test_what_cannot_be_read_is_not_ours(self):
        self.put('read', dead().token.encode())
        lock, = self.inspect(read=refuse)
        self.assertEqual(('read', 'unknown (it cannot be read)', False, b''),
                         (*lock[:3], lock.contents))

    def test_without_a_clock_there_is_no_age(self):
        self.put('read', b'', 10**9)
        lock, = self.inspect(clock=lambda verb: None)
        self.assertEqual((10**18, None), (lock.since, lock.age))

    def test_without_times_the_contents_tell(self):
        def stat(verb, name):
            return (entry := verb(name)) and entry._replace(modified=None)

        self.put('read', b'one')
        shown, = self.inspect(stat=stat)
        self.assertEqual((None, None), (shown.since, shown.age))
        self.put('read', b'two')
        session = Intervening(self.open(), stat=stat)
        self.assertRaises(Locked, LockFile().break_, session, shown)
        self.put('read', b'one')
        LockFile().break_(session, shown)
        self.assertEqual({}, self.there())

    def test_lock_that_vanishes_while_we_look_is_none(self):
        def read(verb, name, *args):
            self.open().remove(name)
            return verb(name, *args)

        self.put('read', b'one')
        self.assertEqual([], self.inspect(read=read))

    def test_nothing_comes_between_the_last_look_and_the_removal(self):
        self.put('read', b'one')
        shown, = self.inspect()
        session = Intervening(self.open())
        LockFile().break_(session, shown)
        self.assertEqual([('stat', 'read'), ('remove', 'read')], session.done[-2:])


def test_suite():
    load = unittest.defaultTestLoader.loadTestsFromTestCase
    return unittest.TestSuite([everywhere(Inspection, [PYFTPDLIB_LAYER, VSFTPD_LAYER]), load(Odd)])
