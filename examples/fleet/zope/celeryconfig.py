"""Settings of z3c.celery's application: CELERY_CONFIG_FILE is the path of this file."""
import os


broker_url = os.environ.get('CELERY_BROKER_URL', 'redis://localhost:6379/0')
imports = ['zeit.cds.fleet.tasks', 'newsroom']
task_ignore_result = True
worker_prefetch_multiplier = 1
broker_transport_options = {'visibility_timeout': 300}

ZOPE_CONF = os.environ.get('ZOPE_CONF', '/srv/newsroom/zope.conf')
cds_principal = 'newsroom.cds'

# Whoever sends a task of a feed, it goes to the feed's queue; and beat knows the feeds.
task_routes = ['zeit.cds.fleet.schedule.route']
beat_scheduler = 'zeit.cds.fleet.schedule:Scheduler'
