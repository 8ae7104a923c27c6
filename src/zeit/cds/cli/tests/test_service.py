"""The watch as a service: signals, systemd, HTTP; by real processes."""
import os
import re
import select
import shutil
import signal
import socket
import time
import unittest

from zeit.cds.cli import gauges, metrics
from zeit.cds.cli.service import Pulse, Service
from zeit.cds.cli.tests.watches import LIMIT, Manager, until, Watching
from zeit.cds.testing import PYFTPDLIB_LAYER, ServerTestCase
from zeit.cds.testing.logs import recorded
from zeit.cds.testing.process import free_port
from zeit.cds.tests.importing import contents, new_spool, put
from zeit.cds.web.tests.watched import some, Watch, Watched


class Local(Watching, unittest.TestCase):

    # ------------------------------------------------------------ the table

    def test_sigusr1_logs_the_table_whatever_else_is_logged(self):
        site = self.directory('dpa') + self.declared(
            'afp', hostname='localhost', port=free_port(), password='secret')
        put(self.home / 'dpa', 'a.xml', b'a')
        with self.watch('-q', site=site) as process:
            self.imported('dpa', b'a.xml')
            process.send(signal.SIGUSR1)
            process.said('^cds-watch: INFO: Feed +Direction +State +Last look +Last file')
            process.said(r'INFO: afp +import +(backing off|connecting)')
            process.said(r'INFO: dpa +import +(waiting|looking|exchanging) .* [01] +[01] ')
            process.send(signal.SIGTERM)
            self.assertEqual(0, process.ended(), process.lines)
        self.assertNotIn('secret', str(process.lines))

    # ------------------------------------------------------------ reload

    def test_a_file_that_is_wrong_changes_nothing(self):
        with self.watch(site=self.directory('dpa')) as process:
            put(self.home / 'dpa', 'a.xml', b'a')
            self.imported('dpa', b'a.xml')
            for body, pattern in (
                    (self.directory('dpa', limit=0), 'ERROR: .*site.zcml", line 4'),
                    ('<cds:feed', 'ERROR: .*site.zcml'),
                    ('', 'ERROR: .*declares no feed')):
                self.site(body)
                process.send(signal.SIGHUP)
                process.said(pattern)
                process.said('ERROR: The feeds stay as they were.')
            put(self.home / 'dpa', 'b.xml', b'b')
            self.imported('dpa', b'b.xml')
            process.send(signal.SIGTERM)
            self.assertEqual(0, process.ended(), process.lines)

    def test_feeds_end_and_begin(self):
        hear = ('<subscriber for="zeit.cds.interfaces.IFileImported"'
                ' handler="zeit.cds.cli.tests.subscribers.note" />')
        with self.watch('-v', site=self.directory('dpa') + self.directory('afp') + hear,
                        CDS_TEST_NOTE=str(self.home / 'noted')) as process:
            put(self.home / 'afp', 'a.xml', b'a')
            self.imported('afp', b'a.xml')
            self.site(self.directory('dpa') + self.directory('epd') + hear)
            process.send(signal.SIGHUP)
            process.said('INFO: Read the configuration anew: 1 feeds as before, 1 begin, 1 end.')
            for name in 'dpa', 'afp', 'epd':
                put(self.home / name, name, b'b')
            for name in 'dpa', 'epd':
                self.imported(name, name.encode())
            process.send(signal.SIGTERM)
            self.assertEqual(0, process.ended(), process.lines)
        self.assertEqual({b'afp'}, contents(self.home / 'afp').keys())
        self.assertEqual(['a.xml', 'dpa', 'epd'],
                         sorted((self.home / 'noted').read_text().split()))

    def test_options_outweigh_the_file_that_is_read_anew(self):
        with self.watch('--every=0.2', site=self.directory('dpa', every=500)) as process:
            self.site(self.directory('dpa', every=500) + self.directory('afp', every=500))
            until(lambda: os.path.exists(self.home / 'afp'))
            put(self.home / 'dpa', 'a.xml', b'a')
            self.imported('dpa', b'a.xml')
            process.send(signal.SIGHUP)
            put(self.home / 'afp', 'a.xml', b'a')
            self.imported('afp', b'a.xml')
            put(self.home / 'afp', 'b.xml', b'b')
            self.imported('afp', b'b.xml')

    def test_without_such_a_file_it_says_so(self):
        (self.home / 'in').mkdir()
        with self.watch('--every=0.2', self.store_dir, 'file://%s' % (self.home / 'in')) as process:
            put(self.home / 'in', 'a.xml', b'a')
            until(lambda: self.published and not os.path.exists(self.home / 'in' / 'read'))
            process.send(signal.SIGHUP)
            process.said('ERROR: There is no ZCML file that could be read anew.')
            process.send(signal.SIGTERM)
            self.assertEqual(0, process.ended())

    # ------------------------------------------------------------ systemd

    def test_systemd_is_told_how_it_is(self):
        manager = Manager(self.home)
        self.addCleanup(manager.close)
        with self.watch(site=self.directory('dpa'), NOTIFY_SOCKET=manager.path) as process:
            self.assertEqual(['READY=1', 'STATUS=1 feed, all well'], manager.heard('READY=1'))
            put(self.home / 'dpa', 'a.xml', b'a')
            self.imported('dpa', b'a.xml')
            process.send(signal.SIGHUP)
            self.assertRegex(manager.heard('RELOADING=1')[1], r'MONOTONIC_USEC=\d+')
            manager.heard('READY=1')
            self.site('<cds:feed')
            process.send(signal.SIGHUP)
            manager.heard('RELOADING=1')
            manager.heard('READY=1')
            process.send(signal.SIGTERM)
            manager.heard('STOPPING=1')
            self.assertEqual(0, process.ended())

    def test_servers_that_hang_leave_the_watch_alive(self):
        manager = Manager(self.home)
        self.addCleanup(manager.close)
        with socket.create_server(('127.0.0.1', 0)) as silent:
            site = self.directory('dpa') + self.declared(
                'afp', hostname='127.0.0.1', port=silent.getsockname()[1], password='secret')
            with self.watch(site=site, NOTIFY_SOCKET=manager.path,
                            WATCHDOG_USEC='300000') as process:
                silent.settimeout(LIMIT)
                with silent.accept()[0]:
                    put(self.home / 'dpa', 'a.xml', b'a')
                    self.imported('dpa', b'a.xml')
                    self.assertIn('STATUS=2 feeds, all well', manager.heard('WATCHDOG=1'))
                    until(lambda: 'STATUS=2 feeds, late: afp' in manager.heard('WATCHDOG=1'))
                    process.send(signal.SIGTERM)
                    self.assertEqual(0, process.ended(), process.lines)

    # ------------------------------------------------------------ HTTP

    def test_health_and_metrics_and_a_table(self):
        there = self.home / 'ca.pem'
        site = self.directory('dpa') + self.directory('afp', ca_file=there)
        with self.watch('-v', '--http=0', site=site) as process:
            url = process.said(r'Answering at http://(127\.0\.0\.1:\d+)/$')[1]
            put(self.home / 'dpa', 'a.xml', b'abc')
            self.imported('dpa', b'a.xml')
            until(lambda: self.ask(url, '/health')[0] == 503)
            self.assertRegex(self.ask(url, '/health')[1], r'^late: afp: The file .* cannot be read')
            self.assertIn('<h1>2 feeds, 1 late, silent or failed</h1>', self.ask(url, '/')[1])
            self.check_metrics(self.ask(url, '/metrics')[1])
            there.write_text('')
            until(lambda: self.ask(url, '/health') == (200, 'All is well.\n'))
            until(lambda: 'cds_watch_backing_off{direction="import",feed="afp"} 0.0' in self.ask(
                url, '/metrics')[1])
            self.assertEqual(404, self.ask(url, '/other')[0])
            process.send(signal.SIGTERM)
            self.assertEqual(0, process.ended(), process.lines)

    def check_metrics(self, text):
        self.assertEqual(
            metrics.NAMES - metrics.SILENCE.keys() | gauges.OWN.keys() - {
                'cds_watch_round_trip_seconds', 'cds_watch_oldest_waiting_timestamp_seconds'},
            set(re.findall(r'^(cds_\w+){', text, re.MULTILINE)))
        self.assertIn('\nprocess_open_fds ', text)
        for series, dpa, afp in (
                ('cds_files_total', 1, 0), ('cds_bytes_total', 3, 0), ('cds_watch_late', 0, 1),
                ('cds_watch_backing_off', 0, 1), ('cds_last_run_status', 0, 78)):
            for feed, value in ('dpa', dpa), ('afp', afp):
                self.assertIn('\n%s{direction="import",feed="%s"} %.1f\n' % (series, feed, value),
                              text)

    def test_a_port_that_is_in_use_is_told_before_the_watch_begins(self):
        put(self.home, 'a.xml', b'a')
        with socket.create_server(('127.0.0.1', 0)) as other:
            port = other.getsockname()[1]
            with self.watch('-v', '--http=:%d' % port, site=self.directory('dpa')) as process:
                self.assertEqual(78, process.ended())
        self.assertRegex(process.lines[0],
                         r'^cds-watch: --http: cannot listen on 127\.0\.0\.1, port %d: ' % port)
        self.assertIn('Another program has this port', process.lines[1])
        self.assertEqual(2, len(process.lines))

    def test_wrong_usage(self):
        for options, text in ((['--http=here'], "'here' is no PORT or HOST:PORT"),
                              (['--http=0', '--once'], 'with --once nobody could look at it')):
            with self.watch(*options, site=self.directory('dpa')) as process:
                self.assertEqual(2, process.ended())
                self.assertIn(text, process.lines[-1])


class Sessions(Watching, ServerTestCase):

    layer = PYFTPDLIB_LAYER

    def test_feeds_that_did_not_change_keep_their_sessions(self):
        secret, self.top = self.write('secret', self.server.password, 0o600), self.server.directory
        for name in 'dpa', 'afp':
            os.mkdir(os.path.join(self.server.directory, name))

        def feed(name, **settings):
            return self.declared(name, **{
                'hostname': self.server.host, 'port': self.server.port, 'user': self.server.user,
                'password_file': secret, 'ftp_dir': '/' + name, **settings})

        with self.watch('-vv', site=feed('dpa') + feed('afp')) as process:
            for name in 'dpa', 'afp':
                put(os.path.join(self.server.directory, name), 'a.xml', b'a')
                self.imported(name, b'a.xml')
            self.site(feed('dpa') + feed('afp', limit=5))
            process.send(signal.SIGHUP)
            process.said('anew: 1 feeds as before, 1 begin, 1 end')
            for name in 'dpa', 'afp':
                put(os.path.join(self.server.directory, name), 'b.xml', b'b')
                self.imported(name, b'b.xml')
            process.send(signal.SIGTERM)
            self.assertEqual(0, process.ended(), '\n'.join(process.lines))
        kept, anew = (sum('cds-watch: %s: DEBUG: > PASS' % name in line for line in process.lines)
                      for name in ('dpa', 'afp'))
        self.assertEqual(1, kept, '\n'.join(process.lines))
        self.assertGreaterEqual(anew, 2)


class Nobody:
    """A command whose watch gets no signals."""

    def __init__(self):
        self.signals = self

    def hear(self, actions):
        self.actions = actions


class Pulses(unittest.TestCase):

    def setUp(self):
        self.now = 0.0
        self.dpa, self.afp = Watched('dpa', last_try=1.0), Watched(
            'afp', state='backing off', last_try=5.0, backing_off_until=305.0)
        self.watch = Watch(self.dpa, self.afp)
        self.pulse = Pulse(self.watch, lambda: self.now)

    def after(self, seconds):
        self.now += seconds
        return self.pulse.stopped()

    def test_who_is_on_time_lives(self):
        for _ in range(200):
            self.dpa.last_try += 5
            self.assertIsNone(self.after(5))
            if self.now % 300 == 0:
                self.afp.last_try, self.afp.backing_off_until = self.now, self.now + 300

    def test_who_does_not_look_when_it_should_is_dead(self):
        self.assertEqual([None] * 4 + ['dpa'], [self.after(20) for _ in range(5)])
        self.dpa.last_try += 1
        self.assertIsNone(self.after(20))

    def test_so_is_who_backs_off_for_ever(self):
        found = []
        for _ in range(20):
            self.dpa.last_try += 20
            found.append(self.after(20))
        self.assertEqual([None] * 19 + ['afp'], found)

    def test_who_waits_for_a_server_lives(self):
        self.watch.feeds = self.watch.feeds[:1]
        for self.dpa.state in 'connecting', 'looking', 'exchanging':
            self.assertIsNone(self.after(1))
            self.assertIsNone(self.after(10_000))

    def test_a_thread_that_is_not_there_is_dead(self):
        self.watch.alive = False
        self.assertEqual('', self.after(1))


class Watchdog(unittest.TestCase):
    """A watch that has died, which no real one does."""

    def setUp(self):
        directory = new_spool()
        self.addCleanup(shutil.rmtree, directory)
        self.manager = Manager(directory)
        self.addCleanup(self.manager.close)
        os.environ.update(NOTIFY_SOCKET=self.manager.path, WATCHDOG_USEC='30000')

    def test_no_sign_of_life_without_life(self):
        watch = some()
        with recorded() as log, Service(Nobody(), watch):
            self.assertEqual('STATUS=3 feeds, late: afp', self.manager.heard('READY=1')[1])
            self.manager.heard('WATCHDOG=1')
            watch.alive = False
            until(lambda: log.lines)
            while self.waiting():
                self.manager.heard('WATCHDOG=1')
            time.sleep(0.1)
            self.assertFalse(self.waiting())
        [(level, text)] = log.lines
        self.assertEqual('ERROR', level)
        self.assertIn('The thread of a feed does not live any more', text)

    def waiting(self):
        """Has the manager heard something? bool"""
        return bool(select.select([self.manager.socket], [], [], 0)[0])

    def test_it_is_not_ready_before_all_threads_have_begun(self):
        watch = Watch(Watched('dpa'))
        watch.alive = False
        with Service(Nobody(), watch):
            time.sleep(0.1)
            self.assertFalse(self.waiting())
            watch.alive = True
            self.manager.heard('READY=1')

    def test_what_is_asked_and_fails_is_told_and_ends_nothing(self):
        nobody = Nobody()
        with recorded() as log, Service(nobody, some()):
            self.manager.heard('READY=1')
            nobody.actions[signal.SIGUSR1]()        # it has no handler
            until(lambda: log.lines)
            nobody.actions[signal.SIGUSR1]()
            until(lambda: len(log.lines) == 2)
        self.assertIn('A defect of the program. The watch goes on.', str(log.lines))
