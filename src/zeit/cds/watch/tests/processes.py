"""cds-watch as a process, and what can be waited for outside of it."""
import contextlib
import os
import signal
import threading
import time

from zeit.cds.tests.commands import Commands, LIMIT
from zeit.cds.tests.importing import put


class Processes(Commands):
    """A mixin for a ServerTestCase."""

    @contextlib.contextmanager
    def watching(self, *options, **kw):
        """cds-watch in the block; gives the Popen. `self.err` grows while it runs."""
        self.err, kw = '', {'password': '', **kw}
        with self.popen('cds-watch', *options, **kw) as process:
            reader = threading.Thread(target=self._read, args=(process,))
            reader.start()
            try:
                yield process
            finally:
                process.kill()      # if it has not ended by itself
                process.wait()
                reader.join()

    def _read(self, process):
        for line in process.stderr:
            self.err += line

    def wait_until(self, condition):
        end = time.monotonic() + LIMIT / 4
        while not condition():
            self.assertLess(time.monotonic(), end, 'It did not happen. ' + self.err)
            time.sleep(0.01)

    def wait_for(self, name):
        """Until it is published; then take it."""
        path = os.path.join(self.store_dir, 'new', name)
        self.wait_until(lambda: os.path.exists(path))
        os.unlink(path)

    def offer(self, name, data=b''):
        put(os.path.join(self.store_dir, 'new'), name, data)

    def end(self, process, number=signal.SIGTERM):
        """Have it end by a signal; its status."""
        process.send_signal(number)
        return process.wait(LIMIT / 4)

    def secret(self):
        """The path of a file with the password."""
        return self.write('secret', self.server.password, 0o600)
