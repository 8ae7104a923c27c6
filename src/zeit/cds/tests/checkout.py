"""The checkout and the environment that the tests run in.

That is a buildout (``bin/test``) or a virtual environment with the package
and the extra ``test`` installed. Both have pip, setuptools and zc.buildout in
the site-packages of the running Python.
"""
import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path


def top():
    """The directory of setup.py above this package, None without one."""
    path = Path(__file__).parents[4]
    return path if (path / 'setup.py').is_file() else None


def environment(with_path=False):
    """Variables for pip and buildout: nothing is fetched or configured.

    `with_path` -- a Python finds what this one does
    """
    path = {'PYTHONPATH': os.pathsep.join(filter(None, sys.path))} if with_path else {}
    return dict(
        os.environ,
        **path,
        BUILDOUT_HOME=os.devnull,
        PIP_DISABLE_PIP_VERSION_CHECK='1',
        PIP_NO_BUILD_ISOLATION='0',
        PIP_NO_INDEX='1')


def run(*command, cwd=None, show=True):
    """Run a command in the environment; gives its exit status.

    `show` -- print what a command that fails printed
    """
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=environment(), text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT)
    if show and done.returncode:
        print(done.stdout)
    return done.returncode


def settings():
    """The text of a configuration to extend: use only what is installed."""
    interface = importlib.metadata.distribution('zope.interface')
    location = Path(interface.locate_file(''))
    pins = {}
    for distribution in importlib.metadata.distributions():
        if distribution.name != 'zeit.cds':
            pins.setdefault(distribution.name, distribution.version)
    return '\n'.join([
        '[buildout]',
        'develop = %s' % (top() or ''),
        'eggs-directory = %s' % (
            location.parent if location.suffix == '.egg' else 'eggs'),
        'eggs-directory-version =',
        'index = no-index',
        'newest = false',
        '[versions]',
        *('%s = %s' % pin for pin in sorted(pins.items())),
        ''])
