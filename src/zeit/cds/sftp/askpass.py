"""How ssh gets a password, or the passphrase of a key, without a terminal.

It executes $SSH_ASKPASS with its question, and reads the answer. Here this is a script without a
secret in it, and both it and the secrets are files in memory, which have no name in any file
system: others could open them by way of /proc/PID/fd only, where the kernel lets the same user and
root in. None is on a command line, in an environment, or on a disk.
"""
import os


SCRIPT = '''\
#!/bin/sh
case "$SSH_ASKPASS_PROMPT" in ?*) exit 1;; esac
case "$1" in
    *'Enter passphrase for'*) exec cat {passphrase};;
    *'Enter PIN'*) exit 1;;
    *) exec cat {password};;
esac
'''


class Askpass:
    """A context manager: until its end, ssh can ask."""

    def __init__(self, password, passphrase):
        """
        password, passphrase -- bytes, or None
        """
        self._files = []
        try:
            self._script = self._file('askpass', SCRIPT.format(
                password=self._answer(password), passphrase=self._answer(passphrase)).encode())
        except BaseException:
            self.close()
            raise

    def _answer(self, secret):
        """The path where the script finds it, str."""
        return '/dev/null; exit 1' if secret is None else self._file('secret', secret + b'\n')

    def _file(self, name, contents):
        fd = os.memfd_create(name)
        try:
            os.fchmod(fd, 0o500)
            os.write(fd, contents)
            # What somebody could still write is not executed.
            self._files.append(os.open('/proc/self/fd/%d' % fd, os.O_RDONLY))
        finally:
            os.close(fd)
        return '/proc/%d/fd/%d' % (os.getpid(), self._files[-1])

    @property
    def environment(self):
        """What ssh needs to know: a dict."""
        return {'SSH_ASKPASS': self._script, 'SSH_ASKPASS_REQUIRE': 'force'}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        while self._files:
            os.close(self._files.pop())
