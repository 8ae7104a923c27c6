"""Object stores as programs, for tests; tools/install-object-stores gets them.

A store is empty when it starts; `url` gives the spool of a test a place of its own there,
`settings` are those of a feed that reaches it.
"""
import abc
import base64
import contextlib
import email.utils
import hashlib
import hmac
import http.client
import os
import random
import shutil
import socket
import tempfile
import time
import uuid

from zeit.cds.testing.process import Process


HOST = '127.0.0.1'
BUCKET = 'news'
START_LIMIT = 60        # seconds
ATTEMPTS = 8            # another program may take a port that was free
LOW = 20000, 32000      # ports that no connection gets for its own end


def place():
    """The directory below which tools/install-object-stores puts programs, str."""
    return os.path.expanduser(os.environ.get('CDS_OBJECT_STORES', '~/.cache/zeit.cds/stores'))


def low_port():
    """A port that nobody listens on. It takes a while until all of a store's ports are in use; the
    store's own connections must not have one of them until then."""
    while True:
        with socket.socket() as probe, contextlib.suppress(OSError):
            port = random.randrange(*LOW)
            probe.bind((HOST, port))
            return port


class ObjectStore(abc.ABC):
    """A store that is a program. `port` tells where it listens, once it runs."""

    name = scheme = path = None
    account = secret = None

    def __init__(self):
        self.port = None
        self._process = self._work = None

    @classmethod
    def program(cls):
        return os.path.join(place(), cls.path)

    @classmethod
    def missing(cls):
        """None, or what a person must do so that it can run (str)."""
        if not os.path.exists(cls.program()):
            return '%s is missing: run tools/install-object-stores.' % cls.name

    @property
    def pid(self):
        """The process id, int; None if it's not running."""
        if self._process and not self._process.ended():
            return self._process.pid

    def start(self, port=None):
        """Start it; there is a bucket when this returns. Raises RuntimeError."""
        for _ in range(ATTEMPTS):
            self._work = self._work or tempfile.mkdtemp(prefix='zeit.cds-store-')
            self.port = port or low_port()
            log = os.path.join(self._work, 'log')
            self._process = Process(self.command(), log, self.environ(), self.leftovers())
            if self._becomes_ready():
                return
            with open(log, errors='replace') as f:
                said = f.read()[-2000:]
            self.stop()
        raise RuntimeError('%s did not start: %s' % (self.name, said))

    def _becomes_ready(self):
        end = time.monotonic() + START_LIMIT
        while time.monotonic() < end and not self._process.ended():
            if self.is_ready():
                return True
            time.sleep(0.02)
        return False

    def is_ready(self):
        try:
            return self.make_bucket()
        except (OSError, http.client.HTTPException):
            return False

    def stop(self):
        """Kill it; may be called twice."""
        if self._process is not None:
            self._process.kill()
            self._process = None
        for path in self.leftovers():
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
        self._work = None

    def restart(self):
        """Kill it, start it again on the same port; what it had may be lost."""
        self._process.kill()
        self.start(self.port)

    def clear(self):    # noqa: B027  (as it is for all)
        """Nothing: each test has a place of its own."""

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def url(self):
        """Where nothing is yet, str."""
        return '%s://%s/%s' % (self.scheme, BUCKET, uuid.uuid4().hex)

    @property
    def settings(self):
        """Settings of a feed: a dict."""
        return {'sink.endpoint': self.endpoint, 'sink.account': self.account,
                'sink.secret': self.secret}

    @property
    def endpoint(self):
        return 'http://%s:%d' % (HOST, self.port)

    @abc.abstractmethod
    def command(self):
        """The command line, list of str."""

    def environ(self):
        return {}

    def leftovers(self):
        """Paths that must not stay behind."""
        return [self._work] if self._work else []

    @abc.abstractmethod
    def make_bucket(self):
        """Returns whether there is one now. Raises OSError, HTTPException."""

    def _put(self, path, headers):
        connection = http.client.HTTPConnection(HOST, self.port, timeout=5)
        with contextlib.closing(connection):
            connection.request('PUT', path, headers={**headers, 'Content-Length': '0'})
            return connection.getresponse().status


class SeaweedFS(ObjectStore):
    """SeaweedFS, with its S3 gateway."""

    name, scheme, path = 'SeaweedFS', 's3', 'venv/bin/weed'
    account, secret = 'cds', 'secret-of-cds'

    def __init__(self):
        super().__init__()
        self._ports = []

    def command(self):
        self._ports = [low_port() for _ in range(7)]
        ports = zip(('s3.port.grpc', 'filer.port.grpc', 'master.port.grpc', 'volume.port.grpc',
                     'master.port', 'volume.port', 'filer.port'), self._ports)
        return [self.program(), 'server', '-dir=' + self._work, '-ip=' + HOST, '-ip.bind=' + HOST,
                '-s3', '-s3.port=%d' % self.port, *('-%s=%d' % item for item in ports),
                '-s3.port.iceberg=0', '-s3.port.lance=0', '-master.telemetry=false',
                '-master.volumeSizeLimitMB=64', '-volume.max=20',
                '-master.heartbeatInterval=100ms', '-master.electionTimeout=500ms']

    def environ(self):
        return {'AWS_ACCESS_KEY_ID': self.account, 'AWS_SECRET_ACCESS_KEY': self.secret}

    def leftovers(self):
        return super().leftovers() + ['/tmp/seaweedfs-%s-%d.sock' % item for item in zip(
            ('s3-grpc', 'filer-grpc', 'master-grpc', 'volume-grpc'), self._ports)] + [
                '/tmp/seaweedfs-s3-%s.sock' % self.port]

    def make_bucket(self):
        # Not by obstore: after that, no process may be forked from this one.
        import botocore.config
        import botocore.exceptions
        import botocore.session
        session = botocore.session.Session()
        session.set_credentials(self.account, self.secret)
        client = session.create_client(
            's3', endpoint_url=self.endpoint, region_name='us-east-1',
            config=botocore.config.Config(retries={'total_max_attempts': 1}))
        try:
            client.create_bucket(Bucket=BUCKET)
            client.put_object(Bucket=BUCKET, Key='ready', Body=b'1')
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as e:
            return 'BucketAlready' in str(e)
        return True


class Azurite(ObjectStore):
    """Azurite, Microsoft's emulator of Azure Storage."""

    name, scheme, path = 'Azurite', 'az', 'node_modules/.bin/azurite-blob'
    account = 'devstoreaccount1'
    # It has no other; this one is public.
    secret = ('Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGM'
              'Gw==')
    version = '2021-08-06'

    @classmethod
    def missing(cls):
        if shutil.which('node') is None:
            return 'Azurite takes node.'
        return super().missing()

    @property
    def endpoint(self):
        return '%s/%s' % (super().endpoint, self.account)

    def command(self):
        return [self.program(), '--silent', '--inMemoryPersistence', '--skipApiVersionCheck',
                '--blobHost', HOST, '--blobPort', str(self.port)]

    def make_bucket(self):
        date = email.utils.formatdate(usegmt=True)
        signed = 'PUT%sx-ms-date:%s\nx-ms-version:%s\n/%s/%s/%s\nrestype:container' % (
            '\n' * 12, date, self.version, self.account, self.account, BUCKET)
        signature = base64.b64encode(hmac.digest(
            base64.b64decode(self.secret), signed.encode(), hashlib.sha256)).decode()
        return self._put('/%s/%s?restype=container' % (self.account, BUCKET), {
            'x-ms-date': date, 'x-ms-version': self.version,
            'Authorization': 'SharedKey %s:%s' % (self.account, signature)}) in (201, 409)


STORES = [SeaweedFS, Azurite]
