"""One worker, step by step: what it asks of its strategy, its session, and the other workers."""
import collections
import unittest

from zeit.cds.interfaces import ConnectionLost, Entry, FileRefused, SpoolError
from zeit.cds.testing.logs import recorded
from zeit.cds.transfer.jobs import DROPPED, Dropped, DURABLE, FINALIZED
from zeit.cds.transfer.tests.place import File, LATER, Line, LOST, NO, Pending, Place


class Working(unittest.TestCase):

    def setUp(self):
        self.place = Place()
        self.log = self.enterContext(recorded())

    def reasons(self):
        """Why files were dropped."""
        return [job.dropped.reason for job in self.place.jobs.settled()]


class Transfers(Working):

    def exchange(self, *entries, steps=1, **kw):
        """Transfer so many files; the Worker."""
        worker = self.place.worker(*entries, **kw)
        worker._begin()
        for _ in range(steps):
            worker._exchange(worker._following.take() or self.place.jobs.take())
        return worker

    def test_what_is_asked_for_one_file(self):
        worker = self.exchange('a')
        self.assertEqual([
            ('renewed',), ('create', 'a'), ('refresh', self.place.opened[0]),
            ('prepare', 'a', None), ('transfer', 'a', 0), ('transferred', 'a'),
            ('verify', 'a', 'after a', False),
        ], self.place.done)
        self.assertEqual((5, None), (worker.moved, self.place.begins))
        self.assertEqual(['a'], [job.name for job in self.place.jobs.to_commit()])

    def test_only_the_first_session_shows_that_the_lock_is_held(self):
        self.exchange('a', first=False)
        self.assertEqual([], self.place.told('refresh'))

    def test_the_next_one_is_asked_about_on_the_same_round_trip(self):
        self.exchange('a', 'b', 'c', steps=2)
        self.assertEqual([('a', None), ('b', 'before b')], self.place.told('prepare'))

    def test_which_file_follows(self):
        for entry, known in ((Entry('b', 5, 1, 'file'), True), (Entry('b', 0, 1, 'file'), False),
                             (Entry('b', 5, 1), False), (Entry('b', None, 1, 'file'), False)):
            self.exchange('a', entry)
            self.assertEqual(entry if known else Entry('b'), self.place.begins)

    def test_what_was_asked_of_a_session_that_died_is_asked_again(self):
        worker = self.exchange('a', 'b')
        self.place.opened[0].alive = False
        worker._exchange(worker._following.take())
        self.assertEqual([('a', None), ('b', None)], self.place.told('prepare'))

    def test_older_ones_are_finalized_on_the_same_round_trip(self):
        for error, ends in (None, [('finalized', 'a')]), (NO, [('refused', 'a', NO),
                                                               ('finalized', 'a')]):
            self.setUp()
            worker = self.exchange('a', 'b')
            self.place.jobs.durable(self.place.jobs.to_commit())
            self.place.fail('finalize', error)
            del self.place.done[:]
            worker._exchange(worker._following.take())
            self.assertEqual([('finalize', 'a'), ('transferred', 'b'), *ends,
                              ('verify', 'b', 'after b', False)], self.place.done[4:])

    def test_what_a_server_answers_later_is_settled_then(self):
        def finalize(batch, job):
            pending.done = False
            return pending

        pending, self.place.finalize = Pending(), finalize
        worker = self.exchange('a', 'b')
        self.place.jobs.durable(self.place.jobs.to_commit())
        worker._exchange(worker._following.take())
        self.assertEqual([], self.place.told('finalized'))
        worker._settle(worker._finalizing, answered=True)
        self.assertEqual([], self.place.told('finalized'))
        pending.done = True
        worker._settle(worker._finalizing, answered=True)
        self.assertEqual([('a',)], self.place.told('finalized'))
        worker._settle(worker._finalizing)
        self.assertEqual([('a',)], self.place.told('finalized'))

    def test_it_waits_for_that_answer_when_it_has_nothing_else_to_do(self):
        def finalize(batch, job):
            pending = Pending()
            pending.done = False
            return pending

        self.place.finalize = finalize
        worker = self.exchange('a', 'b')
        self.place.jobs.durable(self.place.jobs.to_commit())
        worker._exchange(worker._following.take())
        self.place.jobs.durable(self.place.jobs.to_commit())
        worker._work()
        self.assertEqual([('a',), ('b',)], self.place.told('finalized'))

    def test_it_is_resumed(self):
        self.place.offset = 3
        self.exchange('a')
        self.assertEqual([('a', 3)], self.place.told('transfer'))
        self.assertEqual([('a', 'after a', True)], self.place.told('verify'))

    def test_all_of_it_is_there_already(self):
        self.place.offset = None
        self.exchange('a')
        self.assertEqual(([], []), (self.place.told('transfer'), self.place.told('verify')))
        self.assertEqual(1, len(self.place.jobs.to_commit()))

    def dropped(self, verb, *errors, failed=True, **kw):
        """The reason, if one file is dropped, and the next one is not."""
        self.place.fail(verb, *errors)
        worker = self.exchange('a', 'b', steps=2, **kw)
        (job, state), = [(job, job.dropped) for job in self.place.jobs.settled()]
        self.assertEqual((DROPPED, failed), (job.state, state.failed))
        self.assertEqual((self.place.size, ['b']),
                         (worker.moved, [job.name for job in self.place.jobs.to_commit()]))
        return state.reason

    def test_it_is_dropped(self):
        self.assertEqual('its kind', self.dropped('prepare', Dropped('its kind', False),
                                                  failed=False))
        self.assertEqual([(self.place.opened[0], 'a')], self.place.told('dropped'))

    def test_it_is_refused_here(self):
        self.assertEqual('no room', self.dropped('create', FileRefused('no room')))
        self.assertEqual([], self.place.told('dropped'))      # there was nothing to clean up, yet

    def test_it_fails_again(self):
        self.assertEqual('failed: 450 Later', self.dropped('transfer', LATER, LATER))

    def test_its_session_is_lost_again(self):
        self.place.size = 4
        self.assertEqual('failed: Lost', self.dropped('transfer', LOST, LOST))
        self.assertEqual([(None, 'a')], self.place.told('dropped'))
        self.assertEqual(3, len(self.place.opened))

    def test_what_else_goes_wrong_ends_the_run(self):
        files = []

        def dropped(session, job):
            files.append(job.file)

        self.place.dropped = dropped
        self.place.fail('transfer', SpoolError('full'))
        with self.assertRaises(SpoolError):
            self.exchange('a')
        job, = self.place.jobs.settled()
        self.assertEqual(('the run ended: full', True), (job.dropped.reason, job.dropped.failed))
        self.assertEqual(1, files[0].discarded)

    def test_a_file_that_comes_on_is_not_given_up(self):
        def prepare(line, job, asked):
            self.place.tell('prepare', job.name, asked)
            return next(offsets)

        offsets, self.place.prepare = iter((0, 1, 1, 2, 2, 3, 3)), prepare
        self.place.fail('transfer', *[LATER] * 6)
        self.exchange('a')
        self.assertEqual(7, len(self.place.told('transfer')))
        self.assertEqual(1, len(self.place.jobs.to_commit()))

    def test_unless_the_run_is_over(self):
        def prepare(line, job, asked):
            self.place.over = True
            return 1

        self.place.prepare = prepare
        self.place.fail('transfer', *[LATER] * 6)
        self.exchange('a')
        self.assertEqual(1, len(self.place.told('transfer')))

    def test_a_session_that_is_lost_at_the_very_end_is_no_failure_once(self):
        self.place.over = True        # so that it is never tried again otherwise
        self.place.fail('transferred', ConnectionLost('Lost.'), None, ConnectionLost('Lost.'))
        self.exchange('a', 'b', steps=2)
        self.assertEqual(2, len(self.place.jobs.to_commit()))
        self.assertEqual(1, len(self.log.warnings))
        self.assertIn('since all of a had gone through: Lost.', self.log.warnings[0])
        self.assertEqual(2, self.place.jobs.lost_ends)

    def test_but_a_second_time_it_is(self):
        self.place.over = True
        self.place.fail('transferred', ConnectionLost('Lost.'), ConnectionLost('Lost again.'))
        self.exchange('a')
        self.assertEqual(['failed: Lost again'], self.reasons())

    def test_or_if_not_all_had_gone_through(self):
        self.place.over, self.place.size = True, 4
        self.place.fail('transferred', ConnectionLost('Lost.'))
        self.exchange('a')
        self.assertEqual(['failed: Lost'], self.reasons())

    def test_how_far_it_is(self):
        worker, seen = self.place.worker('a', 'b'), []
        self.place.verify = lambda *args: seen.append(worker.moved)
        worker._begin()
        for _ in range(2):
            worker._exchange(worker._following.take() or self.place.jobs.take())
        self.assertEqual([5, 10, 10], [*seen, worker.moved])


class Finalizing(Working):

    def ended(self, *errors, names='a', tries=0, **kw):
        """The states in which files end that are finalized alone, and the reasons."""
        worker = self.place.worker(*names, **kw)
        worker._begin()
        jobs = [self.place.jobs.take() for _ in names]
        for job in jobs:
            job.file, job.tries = File(), tries
        self.place.jobs.durable(jobs)
        self.place.fail('finalize', *errors)
        worker._finalize(self.place.jobs.to_finalize(9))
        return [(job.state, job.dropped and job.dropped.reason) for job in jobs]

    def test_they_are(self):
        self.assertEqual([(FINALIZED, None)] * 2, self.ended(names='ab'))
        self.assertEqual([('a',), ('b',)], self.place.told('finalized'))
        self.assertEqual([()], self.place.told('look'))

    def test_it_was_done_before(self):
        self.assertEqual([(FINALIZED, None)], self.ended(NO))

    def test_it_is_not_done(self):
        self.place.size = 4
        self.assertEqual([(DURABLE, None)], self.ended(NO))
        self.assertEqual([], self.place.told('finalized'))

    def test_later(self):
        self.assertEqual([(DURABLE, None)], self.ended(LATER))
        self.assertEqual(([1], 1), (self.place.paused, len(self.place.jobs._durable.later)))

    def test_but_not_too_often_nor_when_the_run_is_over(self):
        self.assertEqual([(DROPPED, 'uncertain: 450 Later')], self.ended(LATER, tries=1))
        self.assertEqual([], self.place.told('refused'))
        self.place.pause = lambda failures: 0.0
        self.assertEqual([(DROPPED, 'uncertain: 450 Later')], self.ended(LATER))

    def test_what_never_passes_is_refused_in_the_end(self):
        self.place.passes = False
        self.assertEqual([(FINALIZED, None)], self.ended(LATER, tries=1))
        self.assertEqual([('a', LATER)], self.place.told('refused'))
        self.assertEqual([(DROPPED, 'uncertain: 450 Later')], self.ended(LATER, tries=2))

    def test_it_cannot_be_told_whether_it_was(self):
        self.place.fail('refused', LATER)
        self.assertEqual([(DURABLE, None)], self.ended(NO))
        self.assertEqual(1, len(self.place.jobs._durable.later))

    def test_the_session_is_lost(self):
        """So often as there are tries, and one more for each session."""
        self.place.batch_error = LOST
        for tries, state in (0, DURABLE), (1, DROPPED):
            self.assertEqual(state, self.ended(LOST, tries=tries)[0][0])
        self.assertEqual('uncertain: Lost', self.ended(LOST, tries=1)[0][1])
        self.assertEqual(6, len(self.place.opened))       # another one each time

    def test_it_is_not_known_for_what_went_with_a_file_that_ended_the_session(self):
        worker = self.place.worker('a', retries=0)
        worker._begin()
        job = self.place.jobs.take()
        self.place.jobs.durable([job])
        for _ in range(5):
            worker._settle(collections.deque([(self.place.jobs.to_finalize(1)[0], Pending(LOST))]))
        self.assertEqual((0, DURABLE), (job.tries, job.state))


class Ends(Working):

    def run_it(self, *names, **kw):
        worker = self.place.worker(*names, **kw)
        worker.run()
        return worker

    def test_without_anything_to_do_no_session_is_opened_for_it(self):
        worker = self.place.worker()
        self.place.jobs.take(wait=False)
        worker.run()
        self.assertEqual([], self.place.opened)
        self.assertIsNone(self.place.jobs.error)

    def test_a_further_session_is_taken_and_given_back(self):
        session = Line(self.place)
        self.place.taken.append(session)
        self.run_it(first=False)
        self.assertEqual([(session,)], self.place.told('give back'))
        self.assertEqual([], self.place.opened)

    def test_or_opened_and_another_takes_the_place_of_one_that_is_dead(self):
        self.run_it(first=False)
        self.assertEqual([(None,)], self.place.told('open'))
        self.assertEqual([(self.place.opened[0],)], self.place.told('give back'))
        session = Line(self.place)
        session.alive = False
        self.place.taken.append(session)
        self.run_it(first=False)
        self.assertEqual([(None,), (session,)], self.place.told('open'))

    def test_the_first_is_not_given_back(self):
        self.run_it()
        self.assertEqual([()], self.place.told('renewed'))
        self.assertEqual([], self.place.told('give back', 'open'))

    def test_what_ends_it_ends_the_run_and_what_it_had_taken_goes_on(self):
        error = SpoolError('full')
        self.place.fail('verify', error)
        self.run_it('a', 'b', first=False)
        self.assertIs(error, self.place.jobs.error)
        self.assertEqual([], self.place.told('give back'))
        self.assertEqual(['the run ended: full'], self.reasons())
        self.assertIsNone(self.place.jobs.take(wait=False))

    def test_the_files_are_put_back_if_others_go_on(self):
        worker = self.place.worker('a', 'b', first=False)
        self.place.jobs.enter()
        worker._begin()
        worker._exchange(self.place.jobs.take())
        self.place.over = True
        self.place.opened[0].alive = False
        self.place.fail('open', LOST)
        worker._begin = worker._renew
        worker.run()
        self.assertIsNone(self.place.jobs.error)
        self.assertEqual('b', self.place.jobs.take(wait=False).name)
