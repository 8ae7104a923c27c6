"""Servers that show late what they store, hide names, or refuse one thing or another."""
import contextlib
import os
import unittest

from zeit.cds.interfaces import (
    ConnectionLost,
    ILock,
    Locked,
    PermanentError,
    TemporaryError,
)
from zeit.cds.lock.directory import MUTEX
from zeit.cds.lock.lockfile import ANY, LockFile
from zeit.cds.lock.tests.local import Intervening, Plain
from zeit.cds.lock.tests.places import dead, Locking, QUICK, refuse
from zeit.cds.pipelined import pipelined


class Reply:
    """Of a server, as far as it matters."""

    def __init__(self, code):
        self.code = code


def refused(text, kind=PermanentError):
    """A function that refuses with this reply."""
    def refuse(verb, *args, **kw):
        error = kind(text)
        error.reply = Reply(int(text[:3]))
        raise error
    return refuse


class Storing(Locking, Plain, unittest.TestCase):
    """What was stored shows late, or never."""

    def test_it_may_take_its_time_to_show(self):
        asked = []

        def stat(verb, name):
            asked.append(name)
            return verb(name) if asked.count('read') > 4 else None

        session = Intervening(self.open(), stat=stat)
        with self.held(session, tuning=QUICK._replace(pause_alone=0.01)):
            self.assertEqual(['read'], list(self.there()))
            # By then the mutex was left: what others may have stored meanwhile is looked at.
            self.assertEqual(2, [verb for verb, *_ in session.done].count('read'))
        self.assertEqual(([], {}), (self.log.warnings, self.there()))

    def test_what_never_shows_is_no_lock_of_others(self):
        session = Intervening(self.open(), write=lambda verb, *args, **kw: None)
        with self.assertRaises(PermanentError) as caught:
            self.hold(session, tuning=QUICK._replace(visible=0.2))
        self.assertIn('the lock file read, but there is none', str(caught.exception))
        self.assertEqual({}, self.there())

    def test_what_shows_after_all_is_removed(self):
        """At the last look, before its removal."""
        def stat(verb, name):
            asked.append(name)
            return verb(name) if asked.count('read') > 3 else None

        asked = []
        with self.assertRaises(PermanentError):
            self.hold(Intervening(self.open(), stat=stat), tuning=QUICK._replace(visible=0))
        self.assertEqual(([], {}), (self.log.warnings, self.there()))


class Refusals(Locking, Plain, unittest.TestCase):
    """A person learns which file, which right, where, for whom."""

    def note(self, error, **calls):
        def reopen():
            return Intervening(self.open(), **calls)

        with self.assertRaises(error) as caught, reopen() as session, LockFile(
                QUICK._replace(mutex_wait=0.3)).hold(session, 'read', self.feed, reopen):
            pass
        self.assertEqual({}, self.there())
        return '\n'.join(caught.exception.__notes__)

    def test_an_account_that_may_only_read(self):
        note = self.note(PermanentError, write=refused('550 Denied.'),
                         make_directory=refused('550 Denied.'))
        for text in ('lock file read could not be stored in the directory /in', 'user test needs',
                     'right to create, read and remove', '%s, which' % MUTEX, '550 Denied'):
            self.assertIn(text, note)

    def test_a_quota(self):
        for text in '552 Exceeded storage allocation.', '550 Quota.':
            note = self.note(PermanentError, write=refused(text))
            self.assertIn('quota of the user test', note)
            self.assertNotIn('needs the right', note)

    def test_no_data_connection(self):
        """Lock and mutex go without one."""
        no_data = refused('425 No.', TemporaryError)
        note = self.note(TemporaryError, write=no_data, read=no_data, names=no_data)
        self.assertIn('No data connection came about', note)

    def test_no_data_connection_in_the_middle(self):
        """What is there is ours: nobody else of us could be at it."""
        def write(verb, name, data, offset=0):
            verb(name, data[:20])
            raise TemporaryError('426 Broken.')

        no_data = refused('425 No.', TemporaryError)
        self.note(TemporaryError, write=write, read=no_data, names=no_data)

    def test_a_name(self):
        self.assertIn('does not allow this name', self.note(
            PermanentError, write=refused('553 No such names.')))

    def test_a_right_that_is_told_as_if_it_were_a_name(self):
        """vsftpd, in a directory where nobody may write."""
        note = self.note(PermanentError, write=refused('553 Could not create file.'),
                         make_directory=refused('550 Create directory operation failed.'))
        self.assertIn('The user test needs the right to create', note)
        self.assertNotIn('does not allow this name', note)

    def test_a_lock_that_may_not_be_removed(self):
        @contextlib.contextmanager
        def reopen():
            yield Intervening(self.open(), remove=refused('550 Denied.'))

        with self.assertRaises(PermanentError) as caught, LockFile(QUICK).hold(
                Intervening(self.open(), remove=refused('550 Denied.')), 'read', self.feed, reopen):
            pass
        self.assertIn('The user test needs the right to remove files there',
                      ''.join(caught.exception.__notes__))

    def test_names_with_a_dot_are_asked_for_once(self):
        session = Intervening(self.open(), make_directory=refused('553 Prohibited name.'))
        with self.held(session, tuning=QUICK._replace(pause_alone=0.01)):
            self.assertEqual(2, [verb for verb, *_ in session.done].count('make_directory'))

    def test_mutex_of_others_that_is_not_empty_may_be_called_busy(self):
        """451, aioftp."""
        busy = refused('451 Not empty.', TemporaryError)

        def remove_directory(verb, name):
            return busy(verb) if name == MUTEX and os.listdir(self.path(MUTEX)) else verb(name)

        def make_directory(verb, name):
            verb(name)
            if '/' in name:
                os.mkdir(self.path(MUTEX + '/other'))

        self.hold(Intervening(self.open(), remove_directory=remove_directory,
                              make_directory=make_directory))
        self.assertEqual([], self.log.warnings)
        os.mkdir(self.path('%s/%s' % (MUTEX, dead().token)))
        self.assertRaises(Locked, self.hold, Intervening(
            self.open(), remove_directory=remove_directory))
        self.assert_warned('The mutex %s was left by' % MUTEX)

    def test_a_mutex_that_was_never_allowed_but_for_the_moment(self):
        with self.assertRaises(TemporaryError):
            self.hold(Intervening(self.open(), make_directory=refused('452 Full.', TemporaryError)))


class Hidden(Locking, Plain, unittest.TestCase):
    """The name of the dead in the mutex is not listed."""

    def test_it_is_put_aside(self):
        for names in (lambda verb, name: []), refuse:
            self.leave_mutex(dead().token)
            self.hold(Intervening(self.open(), names=names))
            aside, = self.there()
            self.assert_warned('is called %s now' % aside)
            self.assertEqual([dead().token], os.listdir(self.path(aside)))
            os.rmdir(self.path(aside + '/' + dead().token))
            os.rmdir(self.path(aside))

    def test_without_it_the_lock_comes_about(self):
        self.leave_mutex(dead().token)
        session = Intervening(self.open(), names=lambda verb, name: [], rename=refuse)
        with self.held(session, tuning=QUICK._replace(pause_alone=0.01)):
            self.assertEqual(2, [verb for verb, *_ in session.done].count('read'))
        self.assert_warned('Remove that directory on the server')
        self.assertEqual({MUTEX: None}, self.there())

    def test_one_that_shows_at_last_is_respected(self):
        def remove_directory(verb, name):
            tried.append(name)
            return verb(name)

        tried = []
        self.leave_mutex('somebody')
        self.assertRaises(Locked, self.hold, Intervening(
            self.open(), names=lambda verb, name: verb(name) if tried else [],
            remove_directory=remove_directory))
        self.assertEqual(([MUTEX], {MUTEX: None}), (tried, self.there()))


class Meanwhile(Locking, Plain, unittest.TestCase):

    def test_a_data_connection_is_prepared_for_what_follows(self):
        def meanwhile(also):
            for _ in range(2):
                with pipelined(session).batch() as batch:
                    following.append(also(batch))

        following, session = [], self.open()
        self.hold(session, meanwhile=meanwhile)
        self.assertEqual([ANY, ANY], following)


class Sessions(Locking, Plain, unittest.TestCase):
    """The session ends while the lock is created: it comes about on another."""

    def dies_after(self, *verbs):
        def die(verb, *args, **kw):
            result = verb(*args, **kw)
            session.session.abort()
            return result

        session = Intervening(self.open(), **dict.fromkeys(verbs, die))
        return session

    def check(self, session, reopen=None, **kw):
        opened = []

        def open():
            opened.append((reopen or self.open)())
            return opened[-1]

        with session, LockFile(QUICK).hold(session, 'read', self.feed, open, **kw) as lock:
            self.assertTrue(ILock.providedBy(lock))
            self.assertEqual(['read'], list(self.there()))
            self.assertTrue(opened[-1].alive)
            lock.refresh(opened[-1])
        self.assertEqual(([], {}), (self.log.warnings, self.there()))
        return opened

    def test_after_each_transfer(self):
        transfers = 'write', 'read', 'entries', 'names'
        session = self.dies_after(*transfers)
        self.check(session, lambda: self.dies_after(*transfers),
                   meanwhile=lambda also: pipelined(session).entries(also=also))

    def test_while_it_is_stored(self):
        for whole in True, False:
            session = Intervening(self.open())

            def write(verb, name, data, offset=0, whole=whole, session=session):
                verb(name, data if whole else data[:20])
                session.session.abort()
                raise ConnectionLost('Gone.')

            session.calls['write'] = write
            if whole:
                self.check(session)
            else:
                self.assertRaises(ConnectionLost, self.hold, session)
                self.assertEqual({}, self.there())

    def test_while_it_is_listed(self):
        def meanwhile(also):
            session.session.abort()
            raise ConnectionLost('Gone.')

        session = Intervening(self.open())
        self.check(session, meanwhile=meanwhile)

    def test_again_and_again(self):
        session, dying = self.dies_after('write'), ('stat', 'read')
        self.assertRaises(ConnectionLost, self.check, session, lambda: self.dies_after(*dying))
