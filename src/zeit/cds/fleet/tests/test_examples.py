"""The units in examples/fleet: what they start works together."""
import os
import pwd
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from zeit.cds.fleet.tests.house import need, put, wait_until
from zeit.cds.testing import brokers, postgres
from zeit.cds.testing.layers import REDIS_LAYER, ServerTestCase
from zeit.cds.testing.process import Process
from zeit.cds.testing.server import ACCOUNT
from zeit.cds.testing.servers import PyFTPD
from zeit.cds.tests.checkout import top
from zeit.cds.tests.importing import new_spool


EXAMPLES = top() and top() / 'examples' / 'fleet'
SITE = '''\
<configure xmlns="http://namespaces.zope.org/zope" xmlns:cds="http://namespaces.zeit.de/cds">
  <include package="zeit.cds" file="meta.zcml" />
  <include package="zeit.cds" />
  <cds:feed name="dpa" store_dir="%s" hostname="%s" port="%d" user="%s" password="%s" every="1" />
</configure>
'''


@unittest.skipUnless(EXAMPLES, 'there are no examples without a checkout')
class Units(ServerTestCase):

    layer, level = REDIS_LAYER, 2

    def setUp(self):
        need(self, postgres.PostgreSQL)
        self.ftp = PyFTPD()
        self.ftp.start()
        self.addCleanup(self.ftp.stop)
        self.work = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.work)
        self.spool = new_spool()
        self.addCleanup(shutil.rmtree, self.spool)
        account = pwd.getpwnam(ACCOUNT)
        self.as_account = [] if os.getuid() else [
            'setpriv', '--reuid=%d' % account.pw_uid, '--regid=%d' % account.pw_gid,
            '--clear-groups']
        os.chmod(self.work, 0o755)
        for name in 'cds-redis', 'cds-postgresql':
            self.work.joinpath(name).mkdir()
            shutil.chown(self.work / name, ACCOUNT)
        for name in 'redis.conf', 'fleet.env':
            self.work.joinpath(name).write_text(self.here((EXAMPLES / name).read_text()))
        self.work.joinpath('site.zcml').write_text(SITE % (
            self.spool, self.ftp.host, self.ftp.port, self.ftp.user, self.ftp.password))

    def here(self, text):
        """The text with places of ours."""
        for old, new in (
                ('/run/', '%s/' % self.work), ('/var/lib/', '%s/' % self.work),
                ('/etc/cds/', '%s/' % self.work),
                ('/opt/cds/bin/celery', '%s -P -m celery' % sys.executable),
                ('/usr/bin/redis-server', brokers.Redis.found()),
                (re.search(r'/usr/lib/postgresql/\d+/bin', text), postgres.programs())):
            old = old[0] if isinstance(old, re.Match) else old
            text = text.replace(old, new) if old else text
        return text.replace('%i', '1').replace('%H', 'host')

    def lines(self, unit, key):
        text = self.here((EXAMPLES / unit).read_text())
        return re.findall(r'^%s=(.*)$' % key, text, re.MULTILINE)

    def start(self, unit, prefix=()):
        [command] = self.lines(unit, 'ExecStart')
        environ = {'PYTHONPATH': os.pathsep.join(filter(None, sys.path)), **brokers.libraries()}
        for path in self.lines(unit, 'EnvironmentFile'):
            environ.update(line.split('=', 1) for line in Path(path).read_text().splitlines()
                           if not line.startswith('#'))
        log = self.work / (unit + '.log')
        process = Process([*prefix, *shlex.split(command)], str(log), environ)
        self.addCleanup(process.kill)
        return log

    def test_a_file_arrives(self):
        subprocess.run(
            [*self.as_account, os.path.join(postgres.programs(), 'initdb'), '-A', 'trust', '-U',
             'cds', '-D', self.work / 'cds-postgresql' / 'data', '--no-sync'], check=True,
            stdout=subprocess.DEVNULL, cwd=self.work)
        self.start('cds-postgresql.service', self.as_account)
        self.start('cds-redis.service')
        logs = [self.start(unit) for unit in ('cds-worker@.service', 'cds-beat.service')]
        put(self.ftp.directory, 'flood.xml', b'<nitf/>')
        new = os.path.join(self.spool, 'new')
        self.assertTrue(wait_until(lambda: os.listdir(new) == ['flood.xml'], 60),
                        '\n'.join(log.read_text() for log in logs))

    def test_the_target_has_all_that_is_there(self):
        text = (EXAMPLES / 'cds-fleet.target').read_text()
        wanted = {re.sub('@.*?[.]', '@.', name) for name in re.findall(r'cds-\S+[.]service', text)}
        self.assertEqual({path.name for path in EXAMPLES.glob('*.service')}, wanted)
