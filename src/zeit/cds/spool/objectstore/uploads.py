"""Multipart uploads that a killed run left: they show in no listing, and cost as much as objects.

Obstore cannot list them. For S3 botocore does; Azure forgets them after a week; for Google the
bucket needs a rule for its life cycle, see objectstore.txt.
"""
import logging
import os

from zeit.cds.text import printable


log = logging.getLogger('zeit.cds')


def abort(objects, prefixes):
    """Abort all multipart uploads below these prefixes; whatever hinders that is logged.

    objects -- Objects
    """
    if objects.location.kind != 'S3Store':
        return
    try:
        client = _client(objects)
        for prefix in prefixes:
            _abort(client, objects.location, prefix)
    except Exception as e:      # botocore has many, and none is worth more than a word
        log.warning(
            'What an interrupted upload left in %s is still there, and costs money: %s. Give the '
            'bucket a rule AbortIncompleteMultipartUpload.', objects.url, printable(str(e)))


def _client(objects):
    import botocore.config
    import botocore.session
    own, bucket = objects.own, objects.location.bucket
    endpoint = own.endpoint or os.environ.get('AWS_ENDPOINT')
    if endpoint and own.virtual_host:       # botocore adds the bucket by itself
        endpoint = endpoint.replace('://%s.' % bucket, '://')
    return botocore.session.Session(profile=own.profile).create_client(
        's3', endpoint_url=endpoint, region_name=own.region,
        aws_access_key_id=own.account, aws_secret_access_key=own.secret,
        config=botocore.config.Config(s3={
            'addressing_style': 'virtual' if own.virtual_host else 'path'}))


def _abort(client, location, prefix):
    prefix = '%s/%s' % (location.prefix, prefix) if location.prefix else prefix
    pages = client.get_paginator('list_multipart_uploads').paginate(
        Bucket=location.bucket, Prefix=prefix)
    for page in pages:
        for upload in page.get('Uploads', ()):
            client.abort_multipart_upload(
                Bucket=location.bucket, Key=upload['Key'], UploadId=upload['UploadId'])
