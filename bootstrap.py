"""Prepare a checkout for buildout; run it again at any time.

    python3 bootstrap.py && bin/buildout

A virtual environment in .venv gets the zc.buildout that versions.cfg pins,
and bin/buildout runs it. Written so that an old Python can tell that it is
too old.
"""
from __future__ import print_function

import os
import subprocess
import sys


MINIMUM = (3, 11)
TOP = os.path.dirname(os.path.abspath(__file__))
VENV = os.path.join(TOP, '.venv')
PYTHON = os.path.join(VENV, 'bin', 'python')
# ruff is a program, and buildout's eggs keep none of these.
INSTALLED = [
    'packaging', 'pip', 'platformdirs', 'ruff', 'setuptools', 'wheel', 'zc.buildout']

# The package index and the build tools are those that pip is set up with;
# buildout alone would ask the public index, and pip fetch a setuptools of
# its own choice for the develop egg.
BUILDOUT = '''\
#!{python}
"""Run buildout. Made by bootstrap.py."""
import os
import subprocess
import sys
import warnings

import zc.buildout.buildout


def index():
    """The package index that pip is told to use, as a buildout option."""
    url = os.environ.get('PIP_INDEX_URL')
    for name in ['global.index-url', 'install.index-url']:
        url = url or subprocess.run(
            [sys.executable, '-m', 'pip', 'config', 'get', name],
            capture_output=True, text=True).stdout.strip()
    return ['buildout:index=' + url] if url else []


# zc is a namespace; an egg of its own for each recipe is as it should be.
warnings.filterwarnings('ignore', 'Module zc was already imported')
os.environ['PIP_NO_BUILD_ISOLATION'] = '0'
os.environ['PIP_DISABLE_PIP_VERSION_CHECK'] = '1'
sys.exit(zc.buildout.buildout.main(index() + sys.argv[1:]))
'''

PROBE = '''\
import importlib.metadata, sys
print(sys.version)
for name in sys.argv[1:]:
    print(importlib.metadata.version(name))
'''


def fail(message):
    sys.exit('bootstrap.py: ' + message)


def check():
    """Can this Python do it? Ends with what to do if not."""
    if sys.version_info < MINIMUM:
        fail('Python %d.%d or newer is needed, this is %s (%s). '
             'Call a newer one, as in: python3.%d bootstrap.py' % (
                 MINIMUM + (sys.version.split()[0], sys.executable,
                            MINIMUM[1])))
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError as error:
        fail('this Python cannot make virtual environments (%s). On Debian '
             'or Ubuntu: apt-get install python%d.%d-venv' % (
                 (error,) + sys.version_info[:2]))
    if TOP.split() != [TOP]:
        fail('the first line of a script cannot name a path with blanks. '
             'Move the checkout from %r to a path without.' % TOP)


def pins():
    """What versions.cfg says about the distributions to install."""
    import configparser
    config = configparser.RawConfigParser()
    config.optionxform = str
    config.read(os.path.join(TOP, 'versions.cfg'))
    return [config.get('versions', name) for name in INSTALLED]


def is_complete(versions):
    """Is the virtual environment of this Python, with these versions?"""
    try:
        found = subprocess.check_output(
            [PYTHON, '-c', PROBE] + INSTALLED, stderr=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        return False
    return found.decode().strip() == '\n'.join([sys.version] + versions)


def make_venv(versions):
    import venv
    if os.path.realpath(sys.prefix) == os.path.realpath(VENV):
        fail('call it with the Python that .venv was made from, not with '
             'the one in .venv.')
    print('bootstrap.py: making %s' % VENV)
    try:
        venv.create(VENV, clear=True, with_pip=True)
        subprocess.check_call(
            [PYTHON, '-m', 'pip', 'install', '--quiet', '--upgrade']
            + ['%s==%s' % pin for pin in zip(INSTALLED, versions)])
    except subprocess.CalledProcessError as error:
        fail('%s\nThe reason is above. Set that right and run bootstrap.py '
             'again.' % error)


def write_script():
    path = os.path.join(TOP, 'bin', 'buildout')
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w') as script:
        script.write(BUILDOUT.format(python=PYTHON))
    os.chmod(path, 0o755)


def forget_metadata():
    """What pip left here of an older version: buildout would believe it, and
    miss an extra that came since."""
    import glob
    import shutil
    for path in glob.glob(os.path.join(TOP, 'src', '*.egg-info')):
        shutil.rmtree(path)


def compile_sources():
    """Leave bytecode here: whoever runs the commands may not be allowed to
    write it, and would compile all of them at each start."""
    import compileall
    compileall.compile_dir(os.path.join(TOP, 'src', 'zeit'), quiet=2)


def main():
    check()
    versions = pins()
    if not is_complete(versions):
        make_venv(versions)
    write_script()
    forget_metadata()
    compile_sources()
    print('bootstrap.py: now run bin/buildout')


if __name__ == '__main__':
    main()
