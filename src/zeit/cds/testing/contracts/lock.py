"""What every lock utility has to keep: tests for whoever writes an ILockFile.

Ours passes the same tests. A subclass tells what is under test, and where::

    class MyLock(LockContract, unittest.TestCase):

        def new_lock(self):
            return LockFile()

        def open(self): ...
        def there(self): ...
        def put(self, name, data): ...
"""
import abc
import contextlib
import os
import types

import zope.interface.verify

from zeit.cds.interfaces import ConnectionLost, ILock, ILockFile, Locked, PermanentError
from zeit.cds.net import scheduler
from zeit.cds.pipelined import pipelined


LOCKS = ('read', 'write')


class LockContract(abc.ABC):
    """A mixin for a TestCase. The directory is empty when a test begins."""

    stale_after = 3600      # seconds; setting of the feed

    @abc.abstractmethod
    def new_lock(self):
        """The utility under test: an ILockFile that does not wait long for others."""

    @abc.abstractmethod
    def open(self):
        """Another ICDSSession with the directory."""

    @abc.abstractmethod
    def there(self):
        """What the directory holds: {name: bytes}, None for what is no file."""

    @abc.abstractmethod
    def put(self, name, data):
        """Have a file with these contents (bytes) there, made by some other program now."""

    # ------------------------------------------------------------ tools

    @property
    def feed(self):
        return types.SimpleNamespace(
            stale_after=self.stale_after, ftp_dir='/', user='test', quirks=())

    @contextlib.contextmanager
    def held(self, name='read', **kw):
        """The directory is ours in the block, whose value is the ILock and its session."""
        with self.open() as session:
            with self.new_lock().hold(session, name, self.feed, self.open, **kw) as lock:
                yield lock, session

    def hold(self, name='read', **kw):
        with self.held(name, **kw):
            pass

    def inspect(self):
        with self.open() as session:
            return self.new_lock().inspect(session)

    def break_(self, lock):
        with self.open() as session:
            self.new_lock().break_(session, lock)

    @contextlib.contextmanager
    def held_by_another(self, name='read'):
        """The number of a process that holds the lock in the block, and is killed at its end."""
        (ready, tell), (wait, end) = os.pipe(), os.pipe()
        if not (pid := os.fork()):
            try:
                os.close(end)
                with self.held(name):
                    os.write(tell, b'.')
                    os.read(wait, 1)
                    os._exit(0)
            finally:
                os._exit(1)
        os.close(tell)
        try:
            self.assertEqual(b'.', os.read(ready, 1), 'the other process did not get the lock')
            yield pid
        finally:
            for fd in ready, wait, end:
                os.close(fd)
            os.waitpid(pid, 0)

    # ------------------------------------------------------------ holding

    def test_interfaces_are_kept(self):
        zope.interface.verify.verifyObject(ILockFile, self.new_lock())
        with self.held() as (lock, _):
            zope.interface.verify.verifyObject(ILock, lock)

    def test_it_is_there_in_the_block_and_gone_afterwards(self):
        for name in LOCKS:
            with self.subTest(name=name):
                with self.assertLogs('zeit.cds', 'INFO') as log, self.held(name) as (lock, _):
                    self.assertEqual([name], list(self.there()))
                    self.assertEqual(name, lock.name)
                self.assertEqual({}, self.there())
                self.assertEqual(
                    [text % name for text in (
                        'Creating lock file: %s', 'Lock file successfully created: %s',
                        'Removing lock file: %s', 'Lock file successfully removed: %s')],
                    [record.getMessage() for record in log.records])

    def test_it_excludes_a_second_holder_in_both_directions(self):
        for first in LOCKS:
            for second in LOCKS:
                with self.subTest(first=first, second=second), self.held(first):
                    with self.assertRaises(Locked) as caught:
                        self.hold(second)
                    self.assertEqual('Lock file already exists: %s' % first, str(caught.exception))
                    self.assertEqual([first], list(self.there()))
        self.hold()

    def test_foreign_lock_is_respected_whatever_it_holds(self):
        for name in LOCKS:
            for data in b'', b'whoever', b'\xff\x00\n':
                with self.subTest(name=name, data=data):
                    self.put(name, data)
                    for ours in LOCKS:
                        self.assertRaises(Locked, self.hold, ours)
                    self.assertEqual({name: data}, self.there())
                    self.break_(self.inspect()[0])

    def test_lock_of_a_living_process_is_respected_that_of_a_dead_one_is_broken(self):
        for name in LOCKS:
            with self.held_by_another(name):
                for ours in LOCKS:
                    self.assertRaises(Locked, self.hold, ours)
                self.assertEqual([name], list(self.there()))
            self.assertEqual([name], list(self.there()))
            with self.assertLogs('zeit.cds', 'WARNING') as log:
                self.hold()
            self.assertIn('Lock file %s was left by' % name, log.output[0])
            self.assertEqual({}, self.there())

    def test_what_may_just_be_stored_by_another_is_not_called_abandoned(self):
        """A sibling stores its lock file, which is empty for a moment."""
        self.put('read', b'')
        with self.assertRaises(Locked) as caught:
            self.hold()
        self.assertNotIn('--break', '\n'.join(getattr(caught.exception, '__notes__', ())))

    # ------------------------------------------------------------ while the lock is new

    def test_meanwhile_is_called_once_and_may_use_the_session(self):
        listed = []

        def meanwhile(also):
            listed.append({entry.name for entry in pipelined(session).entries(also=also)})

        self.put('a', b'1')
        with self.open() as session:
            with self.new_lock().hold(session, 'read', self.feed, self.open, meanwhile):
                self.assertEqual({'read', 'a'}, {*self.there()})
        self.assertEqual(1, len(listed))
        self.assertLessEqual({'read', 'a'}, listed[0])
        self.assertEqual({'a': b'1'}, self.there())

    def test_meanwhile_need_not_hand_on_what_it_is_given(self):
        called = []
        with self.held(meanwhile=called.append):
            self.assertEqual(['read'], list(self.there()))
            self.assertEqual(1, len(called))
        self.assertEqual({}, self.there())

    def test_rival_that_shows_meanwhile_wins(self):
        for rival in LOCKS:
            for hands_on in True, False:
                with self.subTest(rival=rival, hands_on=hands_on), self.open() as session:
                    def meanwhile(also, session=session, rival=rival, hands_on=hands_on):
                        self.put(rival, b'rival')
                        pipelined(session).entries(also=also if hands_on else None)

                    with self.assertRaises(Locked), self.new_lock().hold(
                            session, 'read', self.feed, self.open, meanwhile):
                        self.fail('The rival has it, too.')
                    self.assertEqual({rival: b'rival'}, self.there())
                    self.break_(self.inspect()[0])

    def test_what_meanwhile_raises_comes_through(self):
        def fail(also):
            raise ConnectionLost('It was.')

        self.assertRaises(ConnectionLost, self.hold, meanwhile=fail)
        self.assertEqual({}, self.there())

    def test_it_comes_about_although_its_session_dies_meanwhile(self):
        """The session that takes its place is for the caller to go on with."""
        def die(also):
            session.abort()
            raise ConnectionLost('It was.')

        with contextlib.ExitStack() as stack:
            opened = []

            def reopen():
                opened.append(stack.enter_context(self.open()))
                return opened[-1]

            session = stack.enter_context(self.open())
            with self.new_lock().hold(session, 'read', self.feed, reopen, die) as lock:
                self.assertEqual(['read'], list(self.there()))
                self.assertTrue(opened[-1].alive)
                lock.refresh(opened[-1])
                self.assertRaises(Locked, self.hold)
        self.assertEqual({}, self.there())

    # ------------------------------------------------------------ removing

    def test_it_is_removed_after_a_failure(self):
        with self.assertRaises(KeyError), self.held():
            raise KeyError
        self.assertEqual({}, self.there())

    def test_it_is_removed_on_a_new_session_if_the_old_one_has_died(self):
        with self.held() as (_, session):
            session.abort()
            session.close()
        self.assertEqual({}, self.there())

    def test_a_new_session_that_has_died_as_well_is_followed_by_another(self):
        opened = []

        def reopen():
            opened.append(self.open())
            if len(opened) == 1:
                opened[0].abort()
            return opened[-1]

        with self.open() as session:
            with self.new_lock().hold(session, 'read', self.feed, reopen):
                session.close()
        self.assertEqual({}, self.there())
        self.assertEqual([False, False], [session.alive for session in opened])

    def test_one_that_has_become_somebody_elses_is_not_removed(self):
        for fails in False, True:
            with self.subTest(fails=fails), self.assertLogs('zeit.cds', 'WARNING') as log:
                with contextlib.suppress(KeyError), self.held() as (lock, session):
                    lock.refresh(session)
                    self.put('read', b'whoever\x1b')
                    if fails:
                        raise KeyError
                self.assertEqual({'read': b'whoever\x1b'}, self.there())
                self.assertIn('Lock file read is not ours any more', log.output[0])
                self.assertNotIn('\x1b', log.output[0])
            self.break_(self.inspect()[0])

    def test_one_that_somebody_removed_is_none_to_fail_for(self):
        with self.assertLogs('zeit.cds', 'WARNING'), self.held() as (lock, session):
            lock.refresh(session)
            self.break_(self.inspect()[0])
        self.assertEqual({}, self.there())

    # ------------------------------------------------------------ working

    def test_it_is_renewed_when_it_is_time_to(self):
        self.stale_after = 0        # always, then
        with self.held() as (lock, session):
            before = self.there()
            lock.refresh(session)
            self.assertEqual(before, self.there())
            self.assertRaises(Locked, self.hold)
            self.put('read', b'whoever')
            self.assertRaises(Locked, lock.refresh, session)
            self.assertEqual({'read': b'whoever'}, self.there())
        self.assertEqual({'read': b'whoever'}, self.there())

    def test_a_look_goes_with_other_operations(self):
        with self.held() as (lock, session):
            lock.refresh(session)
            with pipelined(session).batch() as batch:
                lock.look(batch)
        self.assertEqual({}, self.there())

    def test_a_look_shows_that_it_is_somebody_elses(self):
        with self.held() as (lock, session):
            lock.refresh(session)
            self.put('read', b'whoever')
            with pipelined(session).batch() as batch:
                lock.look(batch)
        self.assertEqual({'read': b'whoever'}, self.there())

    def test_others_go_on_while_it_waits(self):
        """In a Scheduler: see zeit.cds.net.scheduler."""
        steps = []

        def take():
            steps.append('began')
            with self.held():
                steps.append('held')
            steps.append('ended')

        with scheduler.Scheduler() as tasks:
            tasks.spawn(take)
            tasks.spawn(lambda: steps.append('other'))
            while 'ended' not in steps:
                tasks.turn(1)
        self.assertEqual(['began', 'other', 'held', 'ended'], steps)
        self.assertEqual({}, self.there())

    # ------------------------------------------------------------ for a person

    def test_inspect_tells_who_holds_what(self):
        self.assertEqual([], self.inspect())
        with self.held():
            lock, = self.inspect()
            self.assertEqual(('read', True), (lock.name, lock.ours))
            self.assertTrue(lock.owner.isprintable())
            self.assertIn('process %d ' % os.getpid(), lock.owner)
            self.assertEqual(self.there()['read'], lock.contents)
        self.put('write', b'who\x1b[2Jever\n')
        lock, = self.inspect()
        self.assertEqual(('write', 'unknown', False), lock[:3])
        self.assertEqual(b'who\x1b[2Jever\n', lock.contents)

    def test_what_a_person_was_shown_is_removed_whoever_holds_it(self):
        self.put('write', b'whoever')
        self.break_(self.inspect()[0])
        self.assertEqual({}, self.there())
        with self.held_by_another():
            self.break_(self.inspect()[0])
            self.assertEqual({}, self.there())

    def test_nothing_is_removed_if_it_is_another_one_now(self):
        self.put('read', b'one')
        shown, = self.inspect()
        self.put('read', b'another')
        self.assertRaises(Locked, self.break_, shown)
        self.assertEqual({'read': b'another'}, self.there())
        self.break_(self.inspect()[0])
        with self.held():
            with self.assertRaises(Locked) as caught:
                self.break_(shown)
            self.assertIn('process %d ' % os.getpid(), str(caught.exception))
            self.assertEqual(['read'], list(self.there()))
            shown, = self.inspect()
        with self.held():
            self.assertRaises(Locked, self.break_, shown)
            self.assertEqual(['read'], list(self.there()))
        self.assertEqual({}, self.there())

    def test_what_is_gone_cannot_be_removed(self):
        self.put('read', b'one')
        shown, = self.inspect()
        self.break_(shown)
        self.assertRaises(PermanentError, self.break_, shown)
