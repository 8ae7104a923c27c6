"""The Zope application of examples/fleet/zope, started for real: files become articles in the ZODB.

Run by tools/try-zope-fleet. Zope, z3c.celery and ZEO are installed into an environment of their
own, from the index that pip is configured for; broker and journal are local ones.
"""
import argparse
import contextlib
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from zeit.cds.fleet.tests.house import put, wait_until
from zeit.cds.testing.brokers import Redis
from zeit.cds.testing.process import free_port, Process
from zeit.cds.tests.checkout import top


PACKAGES = ['celery[redis]', 'SQLAlchemy', 'z3c.celery', 'ZEO', 'zope.principalregistry',
            'gocept.filestore', 'greenlet', 'tenacity', 'zc.lockfile', 'zope.component[zcml]']
FILES = 5
VERSIONS = '''
import importlib.metadata, platform
print('Python', platform.python_version(), *(
    '%s %s' % (name, importlib.metadata.version(name))
    for name in ('celery', 'z3c.celery', 'zope.app.wsgi')))
'''
ARTICLES = '''
import sys, ZEO
connection = ZEO.connection(('localhost', int(sys.argv[1])))
root = connection.root().get('Application', {})
for article in root.get('articles', {}).values():
    print(article.name, article.data.decode())
'''


class Application:
    """The example, with places of ours."""

    def __init__(self, work, python, broker):
        """
        work -- Path of a directory
        python -- of the environment, Path
        broker -- running
        """
        self.work, self.bin, self.port = work, python.parent, free_port()
        self.environ = {
            'PYTHONPATH': os.pathsep.join([str(top() / 'src'), str(work)]),
            'CELERY_BROKER_URL': broker.url, 'CELERY_CONFIG_FILE': str(work / 'celeryconfig.py'),
            'ZOPE_CONF': str(work / 'zope.conf'), 'CDS_ZCML': str(work / 'feeds.zcml')}
        for name in 'dpa/tmp', 'dpa/new', 'dpa/cur', 'server':
            work.joinpath(name).mkdir(parents=True)
        for path in (top() / 'examples' / 'fleet' / 'zope').iterdir():
            if path.is_file():
                work.joinpath(path.name).write_text(self.here(path.read_text()))

    def here(self, text):
        text = re.sub(r'\s+password_file="[^"]*"', '', text)
        for old, new in (
                ('/srv/newsroom', str(self.work)), ('localhost:8100', 'localhost:%d' % self.port),
                ('postgresql://cds@localhost/cds', 'sqlite:///%s/journal.db' % self.work),
                ('hostname="ftp.example.org"',
                 'hostname="localhost" connection="file" ftp_dir="%s/server"' % self.work),
                ('every="10"', 'every="1"')):
            text = text.replace(old, new)
        return text

    def start(self, stack, name, *command):
        process = Process([str(self.bin / command[0]), *command[1:]],
                          str(self.work / (name + '.log')), self.environ)
        stack.callback(process.kill)

    def articles(self):
        """{name: contents} of the articles."""
        done = subprocess.run(
            [self.bin / 'python', '-c', ARTICLES, str(self.port)], text=True, check=True,
            stdout=subprocess.PIPE, env={**os.environ, **self.environ})
        return dict(line.split(' ', 1) for line in done.stdout.splitlines())


def run(work, python):
    """Returns the articles."""
    with contextlib.ExitStack() as stack:
        application = Application(work, python, stack.enter_context(Redis()))
        application.start(stack, 'zeo', 'runzeo', '-a', 'localhost:%d' % application.port,
                          '-f', str(work / 'Data.fs'))
        for name in 'worker', 'beat':
            application.start(stack, name, 'celery', '-A', 'z3c.celery:CELERY', name,
                              '-l', 'INFO', *(['-c', '2'] if name == 'worker' else []))
        for number in range(FILES):
            put(str(work / 'server'), '%d.xml' % number, b'article %d' % number)
        wait_until(lambda: len(application.articles()) == FILES, 60, 1.0)
        return application.articles()


def environment(directory, python):
    """Make a virtual environment with all that the example needs; the Path of its Python."""
    subprocess.run([python, '-m', 'venv', directory], check=True)
    found = Path(directory) / 'bin' / 'python'
    subprocess.run([found, '-m', 'pip', 'install', '-q', *PACKAGES], check=True)
    return found


def main(arguments=None):
    parser = argparse.ArgumentParser(prog='try-zope-fleet',
                                     description=__doc__.partition('\n\n')[0])
    parser.add_argument('python', nargs='?', default=sys.executable)
    args = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as directory:
        python = environment(os.path.join(directory, 'venv'), args.python)
        work = Path(directory) / 'newsroom'
        work.mkdir()
        articles = run(work, python)
        print('%d of %d files became articles: %s' % (
            len(articles), FILES, subprocess.run(
                [python, '-c', VERSIONS], text=True, stdout=subprocess.PIPE).stdout.strip()))
        if len(articles) < FILES:
            for name in 'zeo', 'worker', 'beat':
                print(name, (work / (name + '.log')).read_text()[-3000:], sep='\n')
        return 0 if len(articles) == FILES else 1


if __name__ == '__main__':
    sys.exit(main())
