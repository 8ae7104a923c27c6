"""Servers whose MKD succeeds for a directory that exists, and what keeps others out there."""
import os
import unittest

from zeit.cds.interfaces import Locked, PermanentError, TemporaryError
from zeit.cds.lock.directory import MUTEX
from zeit.cds.lock.tests.local import Intervening, Plain
from zeit.cds.lock.tests.places import another_process, dead, Locking, QUICK
from zeit.cds.net import scheduler


BRIEF = QUICK._replace(pause_alone=0.02)


def make_any(verb, name):
    """MKD as ftp-srv and rclone do it."""
    try:
        verb(name)
    except PermanentError:
        if '/' in name:
            raise


def make_all(verb, name):
    """The same, with the directories above."""
    directory, _, _ = name.rpartition('/')
    for one in filter(None, (directory, name)):
        make_any(verb, one)


class Turns(Locking, Plain, unittest.TestCase):
    """The names in the mutex are listed."""

    def session(self, make=make_any, **calls):
        return Intervening(self.open(), make_directory=make, **calls)

    def test_nothing_stays(self):
        for make in make_any, make_all:
            with self.held(self.session(make)):
                self.assertEqual(['read'], list(self.there()))
            self.assertEqual(([], {}), (self.log.warnings, self.there()))

    def test_the_second_mkd_is_what_tells(self):
        for make, looks in (make_any, True), (lambda verb, name: verb(name), False):
            session = self.session(make)
            with self.held(session):
                self.assertEqual(looks, ('names', MUTEX) in session.done)

    def test_whoever_has_their_turn_keeps_others_out(self):
        with another_process() as owner:
            self.leave_mutex(owner.token)
            with self.assertRaises(Locked) as caught:
                self.hold(self.session())
            self.assertIn('Another process has been in the mutex', str(caught.exception))
            self.assertEqual({MUTEX: None}, self.there())
            self.assertEqual([owner.token], os.listdir(self.path(MUTEX)))
        self.hold(self.session())
        self.assert_warned('The mutex %s was left by' % MUTEX, 'has ended')
        self.assertEqual({}, self.there())

    def test_whoever_waits_for_a_turn_sees_the_lock_file_first(self):
        with another_process() as owner:
            self.leave_mutex(owner.token)
            self.put('read', owner.token.encode())
            with self.assertRaises(Locked) as caught:
                self.hold(self.session())
            self.assertEqual('Lock file already exists: read', str(caught.exception))

    def test_what_the_dead_had_begun_is_removed(self):
        for data in b'', dead().token[:50].encode():
            self.leave_mutex(dead().token)
            self.put('read', data)
            self.hold(self.session())
            self.assert_warned('Lock file read was begun by the same process')
            self.assertEqual({}, self.there())

    def test_lock_file_that_came_before_our_turn_is_respected(self):
        def names(verb, name):
            self.put('write', b'peer')
            return verb(name)

        self.assertRaises(Locked, self.hold, self.session(names=names))
        self.assertEqual({'write': b'peer'}, self.there())

    def test_whoever_leaves_may_take_the_mutex_with_them(self):
        def make(verb, name):
            if '/' in name and not gone:
                gone.append(name)
                os.rmdir(self.path(MUTEX))
            return make_any(verb, name)

        gone = []
        self.hold(self.session(make))
        self.assertEqual(([], {}), (self.log.warnings, self.there()))

    def test_mutex_that_goes_while_we_look_into_it(self):
        """451, ftp-srv."""
        def names(verb, name):
            looks.append(name)
            if len(looks) == 1:
                return [*verb(name), '!']
            if len(looks) == 2:
                raise TemporaryError('451 No such directory.')
            return verb(name)

        looks = []
        self.hold(self.session(names=names))
        self.assertEqual(4, len(looks))
        self.assertEqual(([], {}), (self.log.warnings, self.there()))

    def test_of_many_who_come_at_once_one_holds_it_at_a_time(self):
        holding, most, won = [], [], []

        def slowly(verb, *args, **kw):
            scheduler.sleep(0.001 * (os.urandom(1)[0] % 4))
            return verb(*args, **kw)

        def take():
            session = self.session(lambda verb, name: slowly(make_any, verb, name), stat=slowly,
                                   write=slowly, read=slowly, names=slowly, remove=slowly)
            try:
                with self.held(session):
                    holding.append(session)
                    most.append(len(holding))
                    scheduler.sleep(0.01)
                    holding.remove(session)
                won.append(session)
            except Locked:
                won.append(None)

        for _ in range(10):
            del won[:]
            with scheduler.Scheduler() as tasks:
                for _ in range(4):
                    tasks.spawn(take)
                while len(won) < 4:
                    tasks.turn(1)
            self.assertTrue(any(won))
        self.assertEqual({1}, set(most))
        self.assertEqual({}, self.there())


class Alone(Locking, Plain, unittest.TestCase):
    """Nor are the names listed: what remains are further looks."""

    def held(self, session=None, **kw):
        return super().held(session or self.session(), tuning=BRIEF, **kw)

    def session(self, **calls):
        return Intervening(self.open(), **{
            'make_directory': make_any, 'names': lambda verb, name: [], **calls})

    def test_nothing_stays(self):
        with self.held():
            self.assertEqual(['read'], list(self.there()))
        self.assertEqual(([], {}), (self.log.warnings, self.there()))

    def test_what_it_holds_is_read_twice(self):
        session = self.session()
        with self.held(session):
            self.assertEqual(2, [verb for verb, *_ in session.done].count('read'))

    def test_a_rival_that_stores_its_own_in_between_is_the_one_who_holds_it(self):
        for name in 'read', 'write':
            for late in 1, 2:
                with self.subTest(name=name, late=late):
                    looks = []

                    def stat(verb, asked, name=name, late=late, looks=looks):
                        if asked == 'read' and 'read' in self.there():
                            looks.append(asked)
                            if len(looks) == 2 * late - 1:
                                self.put(name, b'x' * len(self.there()['read']))
                        return verb(asked)

                    self.assertRaises(Locked, self.hold, self.session(stat=stat))
                    self.assertEqual([name], list(self.there()))
                    os.unlink(self.path(name))

    def test_a_rival_that_comes_after_our_look_is_waited_for(self):
        """As long as we took ourselves, twice, and then longer."""
        def write(verb, *args, **kw):
            scheduler.sleep(0.1)
            return verb(*args, **kw)

        def take():
            try:
                with self.held(self.session(write=write)):
                    steps.append('held')
            except Locked:
                steps.append('locked')

        def rival():
            scheduler.sleep(0.45)
            self.put('read', b'x' * 200)

        steps = []
        with scheduler.Scheduler() as tasks:
            tasks.spawn(take)
            tasks.spawn(rival)
            while not steps:
                tasks.turn(1)
        self.assertEqual(['locked'], steps)

    def test_settings_may_say_so_at_once(self):
        session = self.session()
        self.quirks = 'no-mutex',
        with self.held(session):
            verbs = [verb for verb, *_ in session.done]
            self.assertNotIn('make_directory', verbs)
            self.assertEqual(2, verbs.count('read'))
        self.put('write', b'peer')
        self.assertRaises(Locked, self.hold, self.session())
