"""beat's schedule, and the queues."""
import datetime
import time

import celery.beat

from zeit.cds.fleet import schedule, tasks
from zeit.cds.fleet.schedule import beat_schedule, route, Scheduler
from zeit.cds.fleet.tests.site import SiteCase


class Schedule(SiteCase):

    def test_each_feed_is_looked_at_every_so_often(self):
        self.feed('dpa', every=30.0)
        self.feed('partner', direction='export', every=0.2)
        found = beat_schedule(self.app)
        self.assertEqual(['zeit.cds: dpa', 'zeit.cds: partner'], sorted(found))
        self.assertEqual(
            [('zeit.cds.import_feed', ('dpa',), 30.0, {'expires': 300.0}),
             ('zeit.cds.export_feed', ('partner',), 0.2, {'expires': 60.0})],
            [(each['task'], each['args'], each['schedule'].run_every.total_seconds(),
              each['options']) for _, each in sorted(found.items())])

    def test_a_task_that_nobody_took_is_dropped_in_time(self):
        for every, seconds in (1, 60), (5, 60), (30, 300), (120, 600), (3600, 3600):
            self.assertEqual(seconds, schedule.drop_after(self.feed(str(every), every=every)))

    def test_they_are_not_looked_at_all_at_once(self):
        for number in range(100):
            self.feed('feed-%d' % number, every=100.0)
        now = self.app.now()
        begun = [now - each['last_run_at'] for each in beat_schedule(self.app).values()]
        quarters = [0] * 4
        for ago in begun:
            quarters[int(ago.total_seconds() // 25)] += 1
        self.assertGreater(min(quarters), 10)

    def test_tasks_for_files_are_sent_if_somebody_wants_any(self):
        self.feed('dpa')
        self.assertNotIn('zeit.cds: tell', beat_schedule(self.app))
        self.feed('ap', tell='app.arrived')
        self.assertEqual('zeit.cds.tell', beat_schedule(self.app)['zeit.cds: tell']['task'])

    def test_a_feed_of_a_queue_goes_there_whoever_sends_its_task(self):
        self.feed('dpa', queue='host-1')
        self.feed('ap')
        for args, kwargs in (['dpa'], {}), ([], {'name': 'dpa'}):
            self.assertEqual({'queue': 'host-1'}, route('zeit.cds.import_feed', args, kwargs, {}))
        for name, args in (('zeit.cds.import_feed', ['ap']), ('zeit.cds.import_feed', ['unknown']),
                           ('zeit.cds.import_feed', []), ('zeit.cds.tell', ['dpa']),
                           ('app.task', ['dpa'])):
            self.assertIsNone(route(name, args, {}, {}))

    def test_an_application_takes_both_over(self):
        self.feed('dpa', queue='host-1', every=0.2)
        self.app.conf.task_routes = [route]
        self.app.conf.beat_schedule = {'own': {'task': 'app.task', 'schedule': 60.0}}
        scheduler = Scheduler(self.app)
        self.assertEqual({'own', 'zeit.cds: dpa'}, set(scheduler.schedule))
        scheduler.apply_async(scheduler.schedule['zeit.cds: dpa'])
        self.assertEqual([], self.messages())
        [message] = self.messages('host-1')
        self.assertEqual(('zeit.cds.import_feed', [['dpa'], {}]),
                         (message.headers['task'], message.payload[:2]))
        self.assertLess(abs(time.time() - message.headers[schedule.SENT]), 60)

    def test_its_own_entries_are_sent_with_all_they_have(self):
        self.app.conf.beat_schedule = {'own': {
            'task': 'app.task', 'schedule': 60.0, 'options': {'headers': {'x': '1'}},
            'args': (celery.beat.BeatLazyFunc(lambda: 5),),
            'kwargs': {'y': celery.beat.BeatLazyFunc(lambda: 6)}}}
        self.feed('dpa')
        scheduler = Scheduler(self.app)
        for _ in range(2):
            scheduler.apply_async(scheduler.schedule['own'])
            [message] = self.messages()
            self.assertEqual(('1', [[5], {'y': 6}]), (message.headers['x'], message.payload[:2]))


class Zope(SiteCase):
    """Tasks of z3c.celery are sent when a transaction commits, and have to be told of it."""

    class Task(celery.Task):

        abstract = True

        def run_in_worker(self):
            """What the task class of z3c.celery has."""

        def apply_async(self, *args, **kw):
            raise AssertionError('It would never be sent.')

    def setUp(self):
        super().setUp()
        self.feed('dpa', tell='app.arrived')
        self.app.close()
        self.app = celery.Celery('zope', broker=self.server.url, task_cls=self.Task)
        self.app.set_current()
        self.app.conf['cds_principal'] = 'zope.cds'

    def test_beat_sends_by_name(self):
        self.assertIsInstance(self.app.tasks[tasks.import_feed.name], self.Task)
        scheduler = Scheduler(self.app)
        scheduler.apply_async(scheduler.schedule['zeit.cds: dpa'])
        [message] = self.messages()
        self.assertEqual({'_run_asynchronously_': True, '_principal_id_': 'zope.cds'},
                         message.payload[1])


class Phases(SiteCase):

    def test_they_stay_the_same(self):
        self.assertEqual(schedule.phase('dpa'), schedule.phase('dpa'))
        self.assertTrue(all(0 <= schedule.phase(str(n)) < 1 for n in range(1000)))

    def test_a_period_is_what_the_feed_says(self):
        found = schedule.every(self.app, 2.5)
        self.assertEqual(datetime.timedelta(seconds=2.5), found.run_every)
        self.assertEqual(found, schedule.every(self.app, 2.5))
