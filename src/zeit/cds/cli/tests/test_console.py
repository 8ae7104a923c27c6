"""The end of a script: nothing that sys.exit would do is missing."""
import os
import subprocess
import sys
import unittest


class End(unittest.TestCase):

    def ended(self, code, **streams):
        """What a process wrote, and its status, that does something and ends with 75."""
        done = subprocess.run(
            [sys.executable, '-c', code + '\nfrom zeit.cds.cli.console import end\nend(75)'],
            env={**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path)),
                 'PYTHONUNBUFFERED': ''}, text=True,
            **{'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE, **streams}, timeout=60)
        return done.stdout, done.stderr, done.returncode

    def test_what_was_printed_comes_out(self):
        self.assertEqual(('out', 'err', 75), self.ended(
            'import sys; sys.stdout.write("out"); sys.stderr.write("err")'))

    def test_who_wants_to_be_called_is_called(self):
        self.assertEqual(('called\n', '', 75), self.ended(
            'import atexit; atexit.register(print, "called")'))

    def test_a_thread_comes_to_its_end(self):
        self.assertEqual(('done\n', '', 75), self.ended(
            'import threading, time\n'
            'threading.Thread(target=lambda: (time.sleep(0.3), print("done"))).start()'))

    def test_a_daemon_thread_holds_nobody_up(self):
        self.assertEqual(('', '', 75), self.ended(
            'import threading, time\n'
            'threading.Thread(target=time.sleep, args=[600], daemon=True).start()'))

    def test_output_that_nobody_takes_is_told(self):
        with open('/dev/full', 'w') as full:
            _, err, status = self.ended('print("out")', stdout=full)
        self.assertIn('No space left on device', err)
        self.assertEqual(120, status)

    def test_the_memory_is_left_to_the_system(self):
        self.assertEqual(('', '', 75), self.ended(
            'class Last:\n'
            '    def __del__(self): print("taken apart")\n'
            'last = Last()'))
