from pathlib import Path

from setuptools import find_namespace_packages, setup


here = Path(__file__).parent
zcml = ['zope.component[zcml]']
demo = ['pyftpdlib']
progress = ['tqdm']
metrics = ['prometheus_client']
completion = ['shtab']
page = ['Chameleon', 'drawsvg']
http = ['waitress'] + metrics + page    # not every machine that watches wants a web server
watch = ['inotify_simple'] + zcml
journal = ['SQLAlchemy']
postgresql = journal + ['psycopg[binary]']
celery = zcml + journal + ['celery']
objectstore = ['botocore', 'obstore']
docs = ['furo', 'repoze.sphinx.autointerface', 'sphinx']


setup(
    name='zeit.cds',
    version='1.0',
    description='Exchange articles through a Content-Drehscheibe, an FTP '
                'directory guarded by lock files',
    long_description='\n\n'.join(
        (here / name).read_text(encoding='utf-8')
        for name in ['README.txt', 'CHANGES.txt']),
    long_description_content_type='text/x-rst',
    author='The zeit.cds contributors',
    license='ZPL-2.1',
    license_files=['LICENSE.txt'],
    keywords='ftp cds news wire import export spool maildir zope',
    classifiers=[
        'Environment :: Console',
        'Intended Audience :: System Administrators',
        'Operating System :: POSIX',
        'Programming Language :: Python :: 3 :: Only',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Programming Language :: Python :: 3.13',
        'Topic :: Internet :: File Transfer Protocol (FTP)',
    ],
    package_dir={'': 'src'},
    # With "zeit" itself a develop install is a plain path, no import hook.
    packages=find_namespace_packages('src', include=['zeit', 'zeit.*']),
    include_package_data=True,
    package_data={'': ['*.css', '*.pt', '*.txt', '*.zcml']},
    zip_safe=False,
    python_requires='>=3.11',
    install_requires=[
        'gocept.filestore',
        'greenlet',
        'tenacity',
        'zc.lockfile',
        'zope.component',
        'zope.event',
        'zope.interface',
        'zope.schema',
    ],
    extras_require={
        'bench': ['matplotlib'],
        'celery': celery,
        'completion': completion,
        'demo': demo,
        'docs': docs,
        'http': http,
        'journal': journal,
        'metrics': metrics,
        'objectstore': objectstore,
        'page': page,
        'postgresql': postgresql,
        'progress': progress,
        'sftp': [],     # the system's ssh does it
        'test': zcml + demo + progress + http + completion + docs + watch + postgresql + celery + [
            'celery[redis]',
            *objectstore,
            'hypothesis',
            'packaging',
            'pip',
            'playwright',
            'PyOpenSSL',    # pyftpdlib speaks TLS by way of it
            'ruff',
            'setuptools',
            'trustme',
            'zc.buildout',
            'zc.recipe.egg',
            'zope.security',
            'zope.testing',
            'zope.testrunner',
        ],
        'watch': watch,
        'zcml': zcml,
    },
    entry_points={
        'console_scripts': [
            'cds-demo = zeit.cds.cli.demo:main',
            'cds-export = zeit.cds.cli.exchange:cds_export',
            'cds-import = zeit.cds.cli.exchange:cds_import',
            'cds-lock = zeit.cds.cli.lock:lock',
            'cds-watch = zeit.cds.cli.watch:watch',
            'cds-log = zeit.cds.cli.log:log_',
            'cds-status = zeit.cds.cli.status:status',
        ],
    },
)
