"""The jobs that a worker has taken already: in which order, and what a session is told of them."""
import unittest

from zeit.cds.interfaces import Entry, Interrupted
from zeit.cds.transfer.following import Following
from zeit.cds.transfer.jobs import Jobs
from zeit.cds.transfer.tuning import Tuning


class Strategy:

    def __init__(self):
        self.asked = []

    def ask_before(self, batch, job):
        self.asked.append((batch, job.name))
        return 'answer for ' + job.name


class Taking(unittest.TestCase):

    def following(self, *entries):
        self.jobs = Jobs([entry if isinstance(entry, Entry) else Entry(entry, 5, 1, 'file')
                          for entry in entries], 0, Tuning())
        self.jobs.enter()
        self.strategy = Strategy()
        return Following(self.jobs, self.strategy)

    def names(self, entries):
        return [entry and entry.name for entry in entries]

    def test_none_is_taken_before_a_session_wants_one(self):
        following = self.following('a', 'b')
        self.assertIsNone(following.take())
        self.assertEqual('a', self.jobs.take().name)

    def test_the_first_is_told_and_taken_then(self):
        following = self.following('a', 'b')
        self.assertEqual(Entry('a', 5, 1, 'file'), following.first('batch'))
        self.assertEqual('a', following.first('another').name)      # it is the same
        self.assertEqual([('batch', 'a')], self.strategy.asked)
        job = following.take()
        self.assertEqual(('a', 'answer for a'), (job.name, following.asked(job)))
        self.assertIsNone(following.take())
        self.assertEqual('b', following.first('batch').name)
        self.assertIsNone(following.asked(following.take() and job))

    def test_there_is_none_any_more(self):
        following = self.following()
        self.assertIsNone(following.first('batch'))
        self.assertEqual([], list(following))

    def test_a_session_draws_as_many_as_it_likes(self):
        following = self.following(*'abcd')
        self.assertEqual('a', following.first('batch').name)
        self.assertEqual(['b', 'c'], self.names([next(following), next(following)]))
        self.assertEqual(['a', 'b'], [following.take().name for _ in range(2)])
        self.assertEqual('d', next(following).name)
        self.assertRaises(StopIteration, next, following)
        self.assertEqual(['c', 'd'], [following.take().name for _ in range(2)])
        self.assertEqual([('batch', name) for name in 'abcd'], self.strategy.asked)

    def test_another_session_is_told_of_all_anew(self):
        following = self.following(*'abc')
        following.first('batch')
        next(following)
        following.forget()
        self.assertEqual('a', following.first('another').name)
        self.assertEqual(['b', 'c'], self.names(following))
        job = following.take()
        self.assertEqual(('a', None), (job.name, following.asked(job)))

    def test_what_was_taken_is_put_back(self):
        following = self.following(*'abc')
        following.first('batch')
        next(following)
        following.put_back()
        self.assertIsNone(following.take())
        self.assertEqual(['a', 'b', 'c'], [self.jobs.take().name for _ in range(3)])

    def test_and_dropped_if_the_run_ends(self):
        following = self.following('a')
        following.first('batch')
        self.jobs.stop(Interrupted('Enough.'))
        following.put_back()
        self.assertTrue(self.jobs.idle)

    def test_what_is_not_known_of_a_file_is_not_told(self):
        for entry in Entry('a', 0, 1, 'file'), Entry('a', 5, 1), Entry('a', None, 1, 'file'):
            self.assertEqual(Entry('a'), self.following(entry).first('batch'))
        following = self.following('a')
        following.first('batch')
        job = following.take()
        job.before = job.entry
        following.put_back()
        self.jobs.put_back(job)
        self.assertEqual(Entry('a'), following.first('batch'))
