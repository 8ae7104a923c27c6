"""Signals, each as it comes to a process of its own: what is told to a run, and which status."""
import signal
import subprocess
import sys
import unittest

from zeit.cds.testing import PYFTPDLIB_LAYER, ServerTestCase
from zeit.cds.tests.commands import Commands, environment, hear_signals


FINISHED = ('<subscriber for="zeit.cds.interfaces.IRunFinished" '
            'handler="zeit.cds.cli.tests.subscribers.terminate" />')

SCRIPT = """
import os, select, signal, sys, threading, time
from zeit.cds.cli.signals import Signals
from zeit.cds.interfaces import Interrupted

class Run:
    connecting = False
    def stop(self, error): print('stop:', error, flush=True); stopped.set()
    def abort(self): print('abort', flush=True); aborted.set()

stopped, aborted, me = threading.Event(), threading.Event(), os.getpid()
%s
"""


class Told(unittest.TestCase):

    def script(self, code, ignored=()):
        """What a script prints; it has to end within seconds."""
        def prepare():
            hear_signals()
            for number in ignored:
                signal.signal(number, signal.SIG_IGN)
        done = subprocess.run(
            [sys.executable, '-c', SCRIPT % code], capture_output=True, text=True, timeout=20,
            preexec_fn=prepare, env=environment('/'))
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertNotIn('Traceback', done.stderr)
        self.err = done.stderr
        return done.stdout

    def test_each_signal_stops_the_run(self):
        for name in ('SIGINT', 'SIGTERM', 'SIGHUP'):
            self.assertEqual('stop: Interrupted by %s.\n' % name, self.script(
                'with Signals() as signals, signals.watch(Run()):\n'
                '    os.kill(me, signal.%s); stopped.wait()\n' % name))

    def test_the_next_one_drops_the_file_in_hand(self):
        self.assertEqual('stop: Interrupted by SIGTERM.\nabort\n', self.script(
            'with Signals(grace=1000) as signals, signals.watch(Run()):\n'
            '    os.kill(me, signal.SIGTERM); stopped.wait()\n'
            '    os.kill(me, signal.SIGHUP); aborted.wait()\n'
            '    os.kill(me, signal.SIGHUP)\n'))

    def test_so_does_time(self):
        self.assertEqual('stop: Interrupted by SIGTERM.\nabort\n', self.script(
            'with Signals(grace=0.05) as signals, signals.watch(Run()):\n'
            '    os.kill(me, signal.SIGTERM); aborted.wait()\n'))

    def test_the_file_in_hand_has_some_time(self):
        self.assertEqual('stop: Interrupted by SIGTERM.\n', self.script(
            'with Signals() as signals, signals.watch(Run()):\n'
            '    os.kill(me, signal.SIGTERM); stopped.wait(); aborted.wait(1)\n'))
        self.assertIn('SIGTERM: the file in hand is finished first, if that takes no longer than '
                      '5 s.', self.err)

    def test_what_the_caller_had_ignored_stays_so(self):
        self.assertEqual('True\n', self.script(
            'with Signals() as signals, signals.watch(Run()):\n'
            '    os.kill(me, signal.SIGHUP); print(not stopped.wait(0.3))\n',
            ignored=[signal.SIGHUP]))

    def test_one_that_comes_while_they_are_being_prepared(self):
        self.assertEqual('interrupted True\nstatus 143\n', self.script(
            'from zeit.cds.cli.command import command\n'
            'start, before = threading.Thread.start, signal.getsignal(signal.SIGHUP)\n'
            'def interrupted_start(thread): os.kill(me, signal.SIGTERM); start(thread)\n'
            'threading.Thread.start = interrupted_start\n'
            'try:\n'
            '    with Signals(): print("in the block")\n'
            'except Interrupted: print("interrupted", signal.getsignal(signal.SIGTERM) ==\n'
            '                          signal.SIG_IGN)\n'
            'signal.signal(signal.SIGTERM, before)\n'
            'print("status", command("cds-import", lambda *_: print("in the body")))\n'))

    def test_who_ends_because_of_one_does_not_die_of_another(self):
        self.assertEqual('alive\n', self.script(
            'try:\n'
            '    with Signals(): os.kill(me, signal.SIGTERM); time.sleep(10)\n'
            'except Interrupted: os.kill(me, signal.SIGINT); print("alive")\n'))

    def test_some_may_have_something_done_instead(self):
        self.assertEqual('anew\nanew\ntable\nstop: Interrupted by SIGTERM.\n', self.script(
            'heard = threading.Semaphore(0)\n'
            'def act(text): print(text, flush=True); heard.release()\n'
            'before = signal.getsignal(signal.SIGUSR1)\n'
            'with Signals() as signals, signals.watch(Run()):\n'
            '    signals.hear({signal.SIGHUP: lambda: act("anew"),'
            ' signal.SIGUSR1: lambda: act("table")})\n'
            '    for name in "SIGHUP", "SIGHUP", "SIGUSR1":\n'
            '        os.kill(me, getattr(signal, name)); heard.acquire()\n'
            '    os.kill(me, signal.SIGTERM); stopped.wait()\n'))

    def test_these_are_as_before_afterwards(self):
        self.assertEqual('True\n', self.script(
            'before = signal.getsignal(signal.SIGUSR1), signal.getsignal(signal.SIGHUP)\n'
            'with Signals() as signals: signals.hear({signal.SIGUSR1: id, signal.SIGHUP: id})\n'
            'print(before == (signal.getsignal(signal.SIGUSR1), signal.getsignal(signal.SIGHUP)))\n'
        ))

    def test_without_a_signal_all_is_as_before(self):
        self.assertEqual('True True\n', self.script(
            'names = "SIGINT", "SIGTERM", "SIGHUP", "SIGURG"\n'
            'def now(): return [signal.getsignal(getattr(signal, name)) for name in names]\n'
            'before, files = now(), os.listdir("/proc/self/fd")\n'
            'with Signals(): pass\n'
            'print(before == now(), files == os.listdir("/proc/self/fd"))\n'))

    def test_one_that_comes_just_before_the_waiting_ends_it(self):
        """Another thread gets it, so that no system call of the main thread is interrupted."""
        self.assertEqual('Interrupted by SIGTERM.\n', self.script(
            'def send(): time.sleep(0.2); signal.pthread_kill(threading.get_ident(), '
            'signal.SIGTERM)\n'
            'threading.Thread(target=send).start()\n'
            'try:\n'
            '    with Signals(): select.poll().poll(60_000)\n'
            'except Interrupted as e: print(e)\n'))


class Several(Commands, ServerTestCase):
    """An interruption always shows in the status, if anything was left because of it."""

    layer = PYFTPDLIB_LAYER

    def run_until_one_is_done(self, *names):
        self.put('a.xml', b'a')
        secret = self.write('secret', self.server.password, 0o600)
        site = self.site(''.join(self.directive(name, password_file=secret) for name in names)
                         + FINISHED)
        return self.run_command('cds-import', '--json', '--metrics=m', '--zcml', site, '--all')

    def test_feeds_that_were_not_run(self):
        self.assertEqual(128 + signal.SIGTERM, self.run_until_one_is_done('a', 'b', 'c'), self.err)
        self.assertEqual([('a', 0)], [(told['feed'], told['status']) for told in self.printed])
        self.assertIn('cds_last_run_status{direction="import",feed="a"} 0.0',
                      (self.home / 'm').read_text())

    def test_all_was_done_anyway(self):
        self.assertEqual(0, self.run_until_one_is_done('a'), self.err)
        self.assertEqual({b'a.xml': b'a'}, self.published)
