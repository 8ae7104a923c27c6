"""Where a spool is, and how its store is reached."""
import os
import sys
import tempfile
import unittest
import unittest.mock

from zeit.cds.feed import Feed
from zeit.cds.interfaces import ConfigurationError, IFileSink, IFileSource
from zeit.cds.own import configured
from zeit.cds.registry import spools
from zeit.cds.spool.objectstore import location
from zeit.cds.spool.objectstore.location import located, opened
from zeit.cds.spool.objectstore.utilities import ObjectSink, ObjectSource


def own(**settings):
    feed = Feed(store_dir='s3://news/x', hostname='h', user='u',
                **{'sink.' + name: value for name, value in settings.items()})
    return configured(feed, {'sink': ObjectSink()}).of('sink')


class URLs(unittest.TestCase):

    def test_bucket_and_prefix(self):
        for url, bucket, prefix in [('s3://news', 'news', ''), ('s3://news/', 'news', ''),
                                    ('s3://news/dpa/in/', 'news', 'dpa/in'),
                                    ('gs://news/a b', 'news', 'a b'), ('az://news/x', 'news', 'x')]:
            with self.subTest(url=url):
                self.assertEqual((url.rstrip('/'), bucket, prefix),
                                 located(url)[:1] + located(url)[2:])

    def test_what_is_no_place(self):
        for url in ('s3://', 's3:///x', 's3://a//b', 's3://u:p@a/b', 's3://a/../b', 'ftp://a/b',
                    's3://a?b/c', 's3://host:80/a'):
            with self.subTest(url=url), self.assertRaisesRegex(
                    ConfigurationError, 'store_dir is wrong.*az://CONTAINER/PREFIX'):
                located(url)

    def test_the_scheme_chooses(self):
        for url in 's3://a/b', 'gs://a/b', 'az://a/b':
            feed = Feed(store_dir=url, hostname='h', user='u')
            self.assertIsInstance(spools(IFileSink, feed), ObjectSink)
            self.assertIsInstance(spools(IFileSource, feed), ObjectSource)
        for url in '/a/b', 's3:/a', 'news://a/b':
            feed = Feed(store_dir=url, hostname='h', user='u')
            self.assertNotIsInstance(spools(IFileSink, feed), ObjectSink)


class Stores(unittest.TestCase):

    def setUp(self):
        clean = {name: value for name, value in os.environ.items()
                 if not name.startswith(('AWS_', 'AZURE_', 'GOOGLE_'))}
        self.enterContext(unittest.mock.patch.dict(os.environ, {**clean, 'HOME': '/nowhere'},
                                                   clear=True))

    def store(self, url='s3://news/dpa', **settings):
        return opened(located(url), own(**settings), 3.0, 2)[0]

    def test_without_the_library(self):
        with unittest.mock.patch.dict(sys.modules, {'obstore': None, 'obstore.store': None}):
            with self.assertRaisesRegex(ConfigurationError, r'zeit\.cds\[objectstore\]'):
                self.store()

    def test_settings_reach_it(self):
        store = self.store(endpoint='http://127.0.0.1:1', account='key', secret='geheim',
                           region='eu-central-1', virtual_host=True)
        self.assertEqual('dpa', str(store.prefix))
        config = {str(name).removeprefix('aws_'): value for name, value in store.config.items()}
        self.assertEqual(
            ('news', 'http://127.0.0.1:1', 'key', 'geheim', 'eu-central-1', 'true',
             location.CONDITIONAL_COPY),
            tuple(str(config[name]).replace('True', 'true') for name in (
                'bucket', 'endpoint', 'access_key_id', 'secret_access_key', 'region',
                'virtual_hosted_style_request', 'copy_if_not_exists')))

    def test_who_has_another_conditional_copy_says_so_in_the_environment(self):
        with unittest.mock.patch.dict(os.environ, AWS_COPY_IF_NOT_EXISTS='header:x-a:b'):
            self.assertNotIn(location.CONDITIONAL_COPY, self.store().config.values())

    def test_only_who_asks_for_it_gets_no_tls(self):
        for endpoint, plain in [(None, False), ('https://s3', False), ('http://s3', True)]:
            self.assertEqual(plain, location._is_plain(own(endpoint=endpoint)))
        with unittest.mock.patch.dict(os.environ, AWS_ENDPOINT_URL='http://s3'):
            self.assertTrue(location._is_plain(own()))

    def test_a_secret_takes_an_account(self):
        with self.assertRaisesRegex(ConfigurationError, 'a secret takes an account'):
            own(secret='geheim')

    def test_what_the_library_does_not_like(self):
        with self.assertRaisesRegex(ConfigurationError, r'^The spool az://news/x: .*Account'):
            self.store('az://news/x')
        with self.assertRaisesRegex(ConfigurationError, r'^The spool gs://news/x: .*/nowhere'):
            self.store('gs://news/x', key_file='/nowhere')

    # ------------------------------------------------------------ profiles

    def test_a_profile(self):
        with tempfile.NamedTemporaryFile('w') as f:
            f.write('[default]\naws_access_key_id = d\naws_secret_access_key = e\n'
                    '[news]\naws_access_key_id = k\naws_secret_access_key = s\n'
                    'region = eu-west-1\n')
            f.flush()
            with unittest.mock.patch.dict(os.environ, AWS_SHARED_CREDENTIALS_FILE=f.name):
                self.assertTrue(location.has_profile(own()))
                store = self.store(profile='news')
                self.assertIn('eu-west-1', store.config.values())
                found = location.Profile(location.aws_session(own(profile='news')))()
                self.assertEqual(('k', 's', None), (
                    found['access_key_id'], found['secret_access_key'], found['token']))
                with unittest.mock.patch.dict(os.environ, AWS_ACCESS_KEY_ID='k'):
                    self.assertFalse(location.has_profile(own()))

    def test_an_unknown_profile(self):
        with self.assertRaisesRegex(ConfigurationError, r'The credentials for S3: .*nobody'):
            self.store(profile='nobody')
