"""Which jobs a worker has taken before their turn, and what a session is told of them."""
import unittest

from zeit.cds.interfaces import Entry
from zeit.cds.transfer.following import Following
from zeit.cds.transfer.jobs import Jobs
from zeit.cds.transfer.tuning import Tuning
from zeit.cds.transfer.worker import Strategy


class Asking(Strategy):

    def ask_before(self, batch, job):
        return (batch, job.name)


class FollowingJobs(unittest.TestCase):

    def setUp(self):
        self.entries = [Entry('%d' % number, number + 1, kind='file') for number in range(5)]
        self.entries[3] = self.entries[3]._replace(size=0)
        self.jobs = Jobs(self.entries, 1, Tuning())
        self.following = Following(self.jobs, Asking())

    def test_the_first_is_told_as_often_as_it_is_asked_for(self):
        self.assertEqual([self.entries[0]] * 2, [self.following.first('b') for _ in range(2)])
        self.assertEqual('0', self.following.take().name)
        self.assertEqual(self.entries[1], self.following.first('b'))

    def test_further_ones_are_told_once(self):
        self.following.first('b')
        self.assertEqual(self.entries[1:3], [next(self.following) for _ in range(2)])
        self.assertEqual(['0', '1'], [self.following.take().name for _ in range(2)])
        self.assertEqual(self.entries[2], self.following.first('b'))
        self.assertEqual([Entry('3'), self.entries[4]], list(self.following))
        self.assertEqual(['2', '3', '4', None], [
            job and job.name for job in (self.following.take() for _ in range(4))])

    def test_another_session_is_told_of_them_anew_and_was_asked_nothing(self):
        self.following.first('b')
        next(self.following)
        job = self.following.take()
        self.assertEqual(('b', '0'), self.following.asked(job))
        self.following.forget()
        self.assertIsNone(self.following.asked(job))
        self.assertEqual(self.entries[1], self.following.first('c'))
        self.assertEqual(self.entries[2], next(self.following))
        self.assertEqual([None, ('c', '2')], [
            self.following.asked(self.following.take()) for _ in range(2)])

    def test_what_was_not_begun_is_put_back(self):
        self.following.first('b')
        next(self.following)
        self.following.put_back()
        self.assertIsNone(self.following.take())
        self.assertEqual(['0', '1', '2'], [self.jobs.take().name for _ in range(3)])

    def test_what_was_tried_before_is_told_of_by_its_name(self):
        self.following.first('b')
        job = self.following.take()
        job.before = job.entry
        self.jobs.put_back(job)
        self.assertEqual(Entry('0'), self.following.first('b'))
