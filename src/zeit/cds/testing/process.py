"""A program that ends with the process that started it."""
import contextlib
import os
import shlex
import signal
import socket
import subprocess


# The shell becomes the program, and thus has its process id. What it leaves
# in the background reads from a pipe that only the starting process holds
# open: it sees the end of the pipe even when that process is killed. (The
# kernel's parent death signal would not do: servers lose it when they change
# their user, and it follows the starting thread, not its process.)
GUARD = '''
exec 3<&0 </dev/null
tree() {{
    for child in $(cat "/proc/$1/task/$1/children"); do
        [ $child = $self ] || tree $child
    done
    echo $1
}}
(
    read -r _ <&3
    read -r self _ _ parent _ </proc/self/stat
    [ $parent != $$ ] || kill -KILL $(tree $$)
    rm -rf -- {leftovers}
    kill -KILL -- -$$
) &
exec "$@" 3<&-
'''


def free_port(host='127.0.0.1'):
    """Return a TCP port (int) of `host` that nobody listens on at this moment."""
    with socket.create_server((host, 0)) as listener:
        return listener.getsockname()[1]


def tree(pid):
    """Return the ids of the process `pid` and of all that it started, list of int.

    vsftpd's sessions are process groups of their own, so that its group
    isn't enough.
    """
    try:
        with open('/proc/%d/task/%d/children' % (pid, pid)) as f:
            children = f.read().split()
    except (FileNotFoundError, ProcessLookupError):
        children = []
    return [pid] + [found for child in children for found in tree(int(child))]


class Process:
    """A running program, with all that it starts in its turn.

    `arguments`  the program and its arguments, list of str
    `log`        path of the file that gets its output
    `environ`    additions to this process' environment, dict
    `leftovers`  paths (str) to remove when the process that called this dies
                 without having called `kill()`
    """

    def __init__(self, arguments, log, environ=None, leftovers=()):
        script = GUARD.format(leftovers=shlex.join(leftovers))
        with open(log, 'ab') as output:
            self._popen = subprocess.Popen(
                ['/bin/sh', '-c', script, arguments[0], *arguments],
                stdin=subprocess.PIPE, stdout=output, stderr=output,
                env={**os.environ, **(environ or {})}, start_new_session=True)

    @property
    def pid(self):
        return self._popen.pid

    def ended(self):
        """Whether the program has ended by itself, or was killed.

        Its process id stays taken, so that `kill()` can't hit another.
        """
        return os.waitid(os.P_PID, self.pid,
                         os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def kill(self):
        """Kill the program and all that it started. May be called twice."""
        if self._popen.returncode is None:
            for pid in tree(self.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            # The guard is left; it must not outlive the claim on the process id.
            os.killpg(self.pid, signal.SIGKILL)
            self._popen.wait()
        self._popen.stdin.close()
