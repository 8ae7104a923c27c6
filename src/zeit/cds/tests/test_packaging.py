"""Does everything get into the distributions, and at which versions?"""
import configparser
import importlib.metadata
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest
import venv
import zipfile
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from zeit.cds.tests import checkout


TOP = checkout.top()
IS_CHECKOUT = TOP and (TOP / '.git').exists()
BUILD = """\
import sys, setuptools.build_meta as backend
directory = sys.argv[1]
backend.build_sdist(directory)
backend.build_wheel(directory)
"""


def call(*command, **options):
    """What a command prints; AssertionError with it if the command fails."""
    options.setdefault('env', checkout.environment())
    done = subprocess.run(
        list(map(str, command)), text=True, encoding='utf-8',
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, **options)
    if done.returncode:
        raise AssertionError('%s: status %d\n%s' % (
            command[0], done.returncode, done.stdout))
    return done.stdout


def tracked(directory):
    """The files of the checkout in a directory that git does not ignore."""
    listed = call(
        'git', '-c', 'safe.directory=*', 'ls-files', '-z', '--cached',
        '--others', '--exclude-standard', directory, cwd=TOP)
    return {name for name in listed.split('\0') if (TOP / name).is_file()}


class Built:
    """Layer: a wheel and an sdist, built from a copy of the checkout."""

    @classmethod
    def setUp(cls):
        cls.dist = Path(tempfile.mkdtemp())
        if not IS_CHECKOUT:
            return
        copy = cls.dist / 'copy'
        for name in tracked('.'):
            target = copy / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(TOP / name, target)
        call(sys.executable, '-c', BUILD, cls.dist, cwd=copy)
        cls.wheel, = cls.dist.glob('*.whl')
        cls.sdist, = cls.dist.glob('*.tar.gz')

    @classmethod
    def tearDown(cls):
        shutil.rmtree(cls.dist)


@unittest.skipUnless(IS_CHECKOUT, 'this is no checkout, but installed')
class Distributions(unittest.TestCase):

    layer = Built

    def install(self):
        """A virtual environment with the wheel alone; gives its bin."""
        path = Built.dist / 'venv'
        venv.create(path, clear=True)
        call(sys.executable, '-m', 'pip', '--python', path / 'bin/python',
             'install', '--quiet', '--no-deps', Built.wheel)
        return path / 'bin'

    def dependencies(self):
        """The environment with what the tests run with, but zeit.cds."""
        path = [entry for entry in sys.path
                if not os.path.exists(os.path.join(entry, 'zeit'))]
        return dict(checkout.environment(), PYTHONIOENCODING='utf-8',
                    PYTHONPATH=os.pathsep.join(path))

    def test_the_wheel_has_every_file_of_the_package(self):
        source = {name.removeprefix('src/') for name in tracked('src')}
        self.assertIn('zeit/cds/buildout.txt', source)
        with zipfile.ZipFile(Built.wheel) as wheel:
            found = {name for name in wheel.namelist()
                     if '.dist-info/' not in name}
        self.assertEqual(source, found)

    def test_the_sdist_has_every_file_of_the_checkout(self):
        source = tracked('.') - {'.gitignore'}
        self.assertIn('bootstrap.py', source)
        with tarfile.open(Built.sdist) as sdist:
            found = {member.name.partition('/')[2]
                     for member in sdist.getmembers()}
        self.assertEqual(set(), source - found)

    def test_the_namespace_is_left_to_everybody(self):
        with zipfile.ZipFile(Built.wheel) as wheel:
            self.assertNotIn('zeit/__init__.py', wheel.namelist())

    def test_the_commands_work_where_only_the_wheel_is_installed(self):
        bin_directory = self.install()
        for script in scripts():
            with self.subTest(script.name):
                self.assertIn('usage: ' + script.name, call(
                    bin_directory / script.name, '--help',
                    cwd=Built.dist, env=self.dependencies()))
        shown = call(bin_directory / 'cds-demo', 'spool', cwd=Built.dist,
                     env=self.dependencies())
        self.assertIn('261120-0802-Wetter-Köln.nitf.xml', shown)


@unittest.skipUnless(TOP, 'there is no versions.cfg without a checkout')
class Versions(unittest.TestCase):

    def pins(self):
        """Normalised names and versions from versions.cfg."""
        config = configparser.RawConfigParser()
        config.read(TOP / 'versions.cfg')
        return {canonicalize_name(name): version
                for name, version in config['versions'].items()}

    def needs(self, name, extras):
        """What an installed distribution needs with these extras."""
        try:
            lines = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            lines = []
        for requirement in map(Requirement, lines):
            marker = requirement.marker
            if marker is None or any(marker.evaluate({'extra': extra})
                                     for extra in ['', *extras]):
                yield requirement

    def requirements(self):
        """What zeit.cds and its extras need, and what that needs in turn."""
        seen = {}
        todo = list(map(Requirement, importlib.metadata.requires('zeit.cds')))
        while todo:
            requirement = todo.pop()
            name = canonicalize_name(requirement.name)
            if name in seen and requirement.extras <= seen[name]:
                continue
            seen.setdefault(name, set()).update(requirement.extras)
            todo.extend(self.needs(name, requirement.extras))
        return set(seen)

    def test_every_requirement_is_pinned(self):
        self.assertEqual(set(), self.requirements() - set(self.pins()))

    def test_each_pin_is_one_version(self):
        for name, version in self.pins().items():
            with self.subTest(name):
                self.assertRegex(version, r'^\d+(\.\w+)*$')


def scripts():
    """The console scripts, as their entry points."""
    return importlib.metadata.distribution('zeit.cds').entry_points.select(
        group='console_scripts')


class Scripts(unittest.TestCase):

    def test_every_command_can_be_called(self):
        self.assertIn('cds-import', scripts().names)
        for script in scripts():
            with self.subTest(script.name):
                self.assertTrue(callable(script.load()))
