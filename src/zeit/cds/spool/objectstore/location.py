"""Where a spool is in which store, and how that is reached: see ISettings."""
import datetime
import os
from typing import NamedTuple

import zope.interface
import zope.schema

from zeit.cds.interfaces import ConfigurationError, Path
from zeit.cds.text import printable


SCHEMES = {'s3': 'S3Store', 'gs': 'GCSStore', 'az': 'AzureStore'}
# A copy that fails if there is something; as AWS has it. Others: see obstore's documentation
CONDITIONAL_COPY = 'header:if-none-match:*'
ENDPOINTS = 'AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL', 'AWS_ENDPOINT', 'AZURE_STORAGE_ENDPOINT'
KEYS_OF_AWS = ('AWS_ACCESS_KEY_ID', 'AWS_WEB_IDENTITY_TOKEN_FILE',
               'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI', 'AWS_CONTAINER_CREDENTIALS_FULL_URI')
RENEWED = datetime.timedelta(minutes=5)     # credentials of a profile: asked for again


class ISettings(zope.interface.Interface):
    """Settings of a spool in an object store: what its URL does not tell.

    What is not given is found where the store's own tools look: in the environment (AWS_*,
    AZURE_*, GOOGLE_APPLICATION_CREDENTIALS), in a profile of AWS, from the role of the instance.
    """

    endpoint = zope.schema.TextLine(
        title='URL of the store',
        description='Of one that is not the provider of that scheme: http://127.0.0.1:8333.',
        default=None, required=False)
    region = zope.schema.TextLine(title='Region', default=None, required=False)
    virtual_host = zope.schema.Bool(
        title="Is the bucket part of the endpoint's host name?",
        description='Else it is the first part of the path.', default=False)
    profile = zope.schema.TextLine(
        title='Profile in ~/.aws', default=None, required=False)
    account = zope.schema.TextLine(
        title='Access key of S3, or storage account of Azure', default=None, required=False)
    secret = zope.schema.Password(
        title='Secret key of S3, or account key of Azure', default=None, required=False)
    key_file = Path(
        title='Service account of Google, a JSON file', default=None, required=False)
    requests = zope.schema.Int(title='Requests at once', min=1, max=256, default=16)

    @zope.interface.invariant
    def both_or_none(own):
        if own.secret and not own.account:
            raise zope.interface.Invalid('a secret takes an account.')


class Location(NamedTuple):
    """Where a spool is."""

    url: str                # as the feed has it, without a slash at its end
    kind: str               # the name of a class of obstore.store
    bucket: str
    prefix: str             # '' at the top of the bucket


def located(url):
    """The Location of a URL. Raises ConfigurationError."""
    scheme, _, rest = url.partition('://')
    bucket, _, prefix = rest.rstrip('/').partition('/')
    if scheme not in SCHEMES or not bucket or set(bucket) & set('@?#: ') or (
            prefix and not all(part not in ('', '.', '..') for part in prefix.split('/'))):
        raise ConfigurationError(
            'The setting store_dir is wrong: %r (possible are s3://BUCKET/PREFIX, '
            'gs://BUCKET/PREFIX and az://CONTAINER/PREFIX, with no slash twice)' % printable(url))
    return Location('%s://%s' % (scheme, rest.rstrip('/')), SCHEMES[scheme], bucket, prefix)


def opened(location, own, seconds, retries):
    """Two stores of obstore's: one that tries again what can pass by itself, one that never does.

    own -- ISettings
    seconds -- float: limit of a request, and of further tries of it
    retries -- int
    Raises ConfigurationError.
    """
    try:
        import obstore.store  # an extra
    except ImportError as e:
        raise ConfigurationError(
            'A spool like %s takes what is not installed: pip install "zeit.cds[objectstore]"'
            % location.url) from e
    kind = getattr(obstore.store, location.kind)
    limit = datetime.timedelta(seconds=seconds)
    config, kw = CONFIGURATIONS[location.kind](own)
    kw['client_options'] = {
        'timeout': limit, 'connect_timeout': limit, 'allow_http': _is_plain(own)}
    if location.prefix:
        kw['prefix'] = location.prefix
    try:
        return [kind(location.bucket, config=config, retry_config={
            'max_retries': number, 'retry_timeout': limit}, **kw) for number in (retries, 0)]
    except Exception as e:      # obstore has its own, which are no ValueErrors
        raise ConfigurationError('The spool %s: %s' % (
            location.url, printable(str(e).partition('\n')[0]))) from None


def _is_plain(own):
    """Is no TLS wanted? bool"""
    endpoints = [own.endpoint] if own.endpoint else map(os.environ.get, ENDPOINTS)
    return any(endpoint and endpoint.startswith('http://') for endpoint in endpoints)


# ---------------------------------------------------------------- the three

def _s3(own):
    config = _given(endpoint=own.endpoint, region=own.region, access_key_id=own.account,
                    secret_access_key=own.secret)
    config['virtual_hosted_style_request'] = own.virtual_host
    if 'AWS_COPY_IF_NOT_EXISTS' not in os.environ:
        config['copy_if_not_exists'] = CONDITIONAL_COPY
    if own.account or not has_profile(own):
        return config, {}
    session = aws_session(own)
    if not own.region and (region := session.get_config_variable('region')):
        config['region'] = region
    return config, {'credential_provider': Profile(session)}


def _azure(own):
    return _given(endpoint=own.endpoint, account_name=own.account, account_key=own.secret), {}


def _gcs(own):
    return _given(base_url=own.endpoint, service_account=own.key_file), {}


CONFIGURATIONS = {'S3Store': _s3, 'AzureStore': _azure, 'GCSStore': _gcs}


def _given(**settings):
    return {name: value for name, value in settings.items() if value}


# ---------------------------------------------------------------- profiles of AWS

def has_profile(own):
    """Are the credentials for S3 in a profile? bool"""
    if own.profile:
        return True
    if any(os.environ.get(name) for name in KEYS_OF_AWS):
        return False
    return 'AWS_PROFILE' in os.environ or any(
        os.path.exists(os.path.expanduser(os.environ.get(variable, path))) for variable, path in (
            ('AWS_SHARED_CREDENTIALS_FILE', '~/.aws/credentials'),
            ('AWS_CONFIG_FILE', '~/.aws/config')))


def aws_session(own):
    """A session of botocore's, which knows of profiles. Raises ConfigurationError."""
    try:
        import botocore.exceptions
        import botocore.session
    except ImportError as e:
        raise ConfigurationError(
            'Profiles of AWS take what is not installed: pip install botocore') from e
    session = botocore.session.Session(profile=own.profile)
    try:
        if session.get_credentials() is None:
            raise ConfigurationError(
                'There are no credentials for S3. Set AWS_ACCESS_KEY_ID and '
                'AWS_SECRET_ACCESS_KEY, or name a profile (sink.profile, AWS_PROFILE).')
    except botocore.exceptions.BotoCoreError as e:
        raise ConfigurationError('The credentials for S3: %s' % e) from e
    return session


class Profile:
    """What obstore asks for credentials."""

    def __init__(self, session):
        self._session = session

    def __call__(self):
        found = self._session.get_credentials().get_frozen_credentials()
        return {'access_key_id': found.access_key, 'secret_access_key': found.secret_key,
                'token': found.token,
                'expires_at': datetime.datetime.now(datetime.UTC) + RENEWED}
