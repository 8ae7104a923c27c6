"""Real brokers, as programs on loopback: Redis and RabbitMQ.

::

    with Redis() as broker:
        broker.url          # for Celery
        broker.crash()      # as a power failure would end it
        broker.start()      # on the same port, with what it had on the disk

They end with the process that started them, even if that one is killed. tools/install-brokers gets
them; nothing is installed.
"""
import abc
import glob
import os
import shutil
import socket
import tempfile
import time

from zeit.cds.testing.process import free_port, Process
from zeit.cds.testing.server import HOST, StartError, write


START_LIMIT = 60            # seconds
ATTEMPTS = 8                # another program may take a port that was free


def unpacked():
    """Return the directory below which tools/install-brokers puts programs."""
    return os.path.expanduser(os.environ.get('CDS_BROKERS', '~/.cache/zeit.cds/brokers'))


def libraries():
    found = glob.glob(unpacked() + '/usr/lib/*-linux-gnu') + glob.glob(
        unpacked() + '/lib/*-linux-gnu')
    return {'LD_LIBRARY_PATH': os.pathsep.join(found)} if found else {}


class Broker(abc.ABC):
    """What both have in common.

    `port` is chosen by the system at the first start, and kept.
    """

    name = program = greeting = None

    def __init__(self):
        self.port = None
        self._work = self._process = None

    @classmethod
    def missing(cls):
        """Return None, or what a person must do so that it can run (str)."""
        if not cls.found():
            return '%s is missing: run tools/install-brokers.' % cls.name

    @classmethod
    def found(cls):
        """Return the path of the program, or None."""
        places = glob.glob(os.path.join(unpacked(), cls.program))
        return places[0] if places else shutil.which(os.path.basename(cls.program))

    @property
    def pid(self):
        """The process id, int; None if it's not running."""
        if self._process and not self._process.ended():
            return self._process.pid

    def start(self):
        """Start it; it takes messages when this returns. Raises StartError."""
        if self._work is None:
            self._work = tempfile.mkdtemp(prefix='zeit.cds-%s-' % self.name)
        chosen = self.port
        for _ in range(ATTEMPTS):
            self.port = chosen or free_port()
            if (said := self._attempt()) is None:
                return
        raise StartError('%s did not start: %s' % (self.name, said))

    def _attempt(self):
        """Try to start it; returns None, or what it said (str)."""
        log = os.path.join(self._work, 'log')
        self._process = Process(
            self._command(), log, {**libraries(), **self._environ()}, [self._work])
        end = time.monotonic() + START_LIMIT
        while not self._answers():
            if time.monotonic() > end or self._process.ended():
                self.crash()
                with open(log, errors='replace') as f:
                    return f.read()[-4000:]
            time.sleep(0.02)
        return None

    def restart(self):
        """Kill it, start it again on the same port."""
        self.crash()
        self.start()

    def clear(self):
        """Forget all messages."""
        self.crash()
        shutil.rmtree(self._work, ignore_errors=True)
        self._work = None
        self.start()

    def crash(self):
        """Kill it. What it has on the disk stays for the next start."""
        if self._process:
            self._process.kill()
            self._process = None

    def stop(self):
        """Kill it, remove its files. May be called twice."""
        self.crash()
        if self._work:
            shutil.rmtree(self._work, ignore_errors=True)
            self._work = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def _answers(self):
        try:
            with socket.create_connection((HOST, self.port), 5) as connection:
                said, expected = self.greeting
                connection.sendall(said)
                return connection.recv(len(expected)) == expected
        except OSError:
            return False

    def _environ(self):
        return {}

    @abc.abstractmethod
    def _command(self):
        """The program and its arguments, list of str: each broker has its own."""


class Redis(Broker):
    """Redis, which keeps an append-only file (everysec)."""

    name, program = 'redis', 'usr/bin/redis-server'
    greeting = b'PING\r\n', b'+PONG'

    @property
    def url(self):
        return 'redis://%s:%d/0' % (HOST, self.port)

    def clear(self):
        with socket.create_connection((HOST, self.port), 5) as connection:
            connection.sendall(b'FLUSHALL\r\n')
            connection.recv(5)

    def _command(self):
        return [self.found(), '--bind', HOST, '--port', str(self.port), '--dir', self._work,
                '--save', '', '--appendonly', 'yes', '--daemonize', 'no']


class RabbitMQ(Broker):
    """RabbitMQ, with an epmd of its own, since Erlang's would outlive it."""

    name, program = 'rabbitmq', 'usr/lib/rabbitmq/lib/*/sbin/rabbitmq-server'
    greeting = b'AMQP\x00\x00\x09\x01', b'\x01'

    def __init__(self):
        super().__init__()
        self._other_ports = None

    @property
    def url(self):
        return 'amqp://guest:guest@%s:%d//' % (HOST, self.port)

    def _command(self):
        epmd = os.path.join(unpacked(), 'usr/lib/erlang/bin/epmd')
        return ['/bin/sh', '-c', '"$0" & exec "$1" -noinput',
                epmd if os.path.exists(epmd) else 'epmd', self.found()]

    def _environ(self):
        self._other_ports = self._other_ports or (free_port(), free_port())
        names, distribution = map(str, self._other_ports)
        place = lambda name: os.path.join(self._work, name)
        erlang = os.path.join(unpacked(), 'usr/lib/erlang/bin')
        return {
            'PATH': os.pathsep.join([erlang, os.environ.get('PATH', '')]), 'HOME': self._work,
            'ERL_EPMD_ADDRESS': HOST, 'ERL_EPMD_PORT': names,
            'RABBITMQ_NODENAME': 'cds%s@localhost' % names, 'RABBITMQ_NODE_IP_ADDRESS': HOST,
            'RABBITMQ_NODE_PORT': str(self.port), 'RABBITMQ_DIST_PORT': distribution,
            'RABBITMQ_MNESIA_BASE': place('mnesia'), 'RABBITMQ_LOG_BASE': place('logs'),
            'RABBITMQ_LOGS': '-', 'RABBITMQ_PID_FILE': place('pid'),
            'RABBITMQ_ENABLED_PLUGINS_FILE': write(self._work, 'plugins', '[].\n'),
            'RABBITMQ_CONFIG_FILE': place('rabbitmq'),
            'RABBITMQ_GENERATED_CONFIG_DIR': place('generated'),
            'RABBITMQ_CONF_ENV_FILE': os.devnull, 'RUNNING_UNDER_SYSTEMD': 'true',
            'ERL_CRASH_DUMP': os.devnull,
        }


BROKERS = [Redis, RabbitMQ]
