#!/usr/bin/env python3
"""Measure what the parts of a fleet can do on this machine: what tools/fleet-simulation wants.

    bin/py benchmarks/fleet.py --broker redis
    bin/py benchmarks/fleet.py --broker rabbitmq --processes 4

Broker, PostgreSQL, FTP server and all processes share the machine's cores.
"""
import argparse
import contextlib
import multiprocessing
import os
import resource
import shutil
import sys
import time

import celery

from zeit.cds.events import Outcome
from zeit.cds.feed import Feed
from zeit.cds.fleet import telling
from zeit.cds.fleet.crew import Crew
from zeit.cds.fleet.schedule import beat_schedule, Scheduler
from zeit.cds.journal.database import Database, files, outbox
from zeit.cds.main import run_import
from zeit.cds.testing.brokers import BROKERS
from zeit.cds.testing.postgres import PostgreSQL
from zeit.cds.testing.servers import SERVERS
from zeit.cds.tests.importing import new_spool


FORK = multiprocessing.get_context('fork')


def cpu():
    return sum(resource.getrusage(resource.RUSAGE_SELF)[:2])


def say(what, figure, unit):
    print('%-52s %10.2f %s' % (what, figure, unit), flush=True)


def beat(url, count):
    """Tasks that one beat sends in a second, and its CPU time for one."""
    app = celery.Celery('benchmark', broker=url)
    feeds = [Feed(name='feed-%d' % n, store_dir='/', hostname='h', user='u', every=0.2)
             for n in range(count)]
    scheduler = Scheduler(app, lazy=True)
    scheduler.merge_inplace(beat_schedule(app, feeds))
    scheduler.tick()
    time.sleep(0.2)     # all are due
    begun, used = time.perf_counter(), cpu()
    for _ in range(count):
        scheduler.tick()
    seconds = time.perf_counter() - begun
    say('beat: tasks sent', count / seconds, '1/s')
    say('beat: CPU time of a task', (cpu() - used) / count * 1000, 'ms')
    app.control.purge()
    app.close()


def claims(url, count):
    """A claim and its release."""
    database = Database(url)
    crew = Crew(database)
    names = ['feed-%d-%d' % (os.getpid(), number) for number in range(count + 1)]
    crew.claim(names.pop()).release(Outcome())
    begun, used = time.perf_counter(), cpu()
    for name in names:
        crew.claim(name).release(Outcome())
    seconds = time.perf_counter() - begun
    database.close()
    return seconds / count, (cpu() - used) / count


def claims_at_once(url, processes, count):
    """Claims and releases in a second, of all processes."""
    begun = time.perf_counter()
    running = [FORK.Process(target=claims, args=(url, count)) for _ in range(processes)]
    for process in running:
        process.start()
    for process in running:
        process.join()
    say('database: claims and releases, %d processes' % processes,
        processes * count / (time.perf_counter() - begun), '1/s')


def looks(server, count, files_each):
    """Runs that find so many files, without the fleet's own share."""
    spool = new_spool()
    feed = Feed(store_dir=spool, hostname=server.host, port=server.port, user=server.user,
                password=server.password)
    seconds = used = 0.0
    for _ in range(count):
        for number in range(files_each):
            path = os.path.join(server.directory, 'file-%d.xml' % number)
            with open(path, 'wb') as f:
                f.write(bytes(4096))
        begun, before = time.perf_counter(), cpu()
        outcome = run_import(feed)
        seconds += time.perf_counter() - begun
        used += cpu() - before
        if outcome.files != files_each:
            raise SystemExit('The run failed: %r' % outcome)
        for number in range(files_each):
            os.unlink(os.path.join(spool, 'new', 'file-%d.xml' % number))
    shutil.rmtree(spool)
    return seconds / count, used / count


def tell(broker_url, database_url, count):
    """Tasks for files that are sent in a second."""
    database, app = Database(database_url), celery.Celery('benchmark', broker=broker_url)
    with database.writing() as connection:
        connection.execute(files.insert(), [dict(
            key='b:%d' % n, feed='feed', direction='import', name='%d.xml' % n, state='published',
            changed=n, tries=0) for n in range(count)])
        connection.execute(outbox.insert(), [dict(
            key='b:%d' % n, task='app.arrived', added=n, due=0, tries=0) for n in range(count)])
    begun = time.perf_counter()
    telling.send(app, database)
    say('tasks for files: sent', count / (time.perf_counter() - begun), '1/s')
    begun = time.perf_counter()
    for number in range(count // 10):
        telling.acknowledge(database, 'b:%d' % number)
    say('tasks for files: acknowledged, one process',
        count // 10 / (time.perf_counter() - begun), '1/s')
    app.control.purge()
    database.close()
    app.close()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--broker', default='redis', choices=[kind.name for kind in BROKERS])
    parser.add_argument('--processes', type=int, default=4)
    parser.add_argument('--count', type=int, default=2000)
    args = parser.parse_args()
    broker, = [kind for kind in BROKERS if kind.name == args.broker]
    server, = [kind for kind in SERVERS if kind.name == 'vsftpd']
    with contextlib.ExitStack() as stack:
        broker = stack.enter_context(broker())
        database = stack.enter_context(PostgreSQL())
        beat(broker.url, args.count)
        seconds, used = claims(database.url, args.count)
        say('database: a claim and its release', seconds * 1000, 'ms')
        say('database: our CPU time for them', used * 1000, 'ms')
        claims_at_once(database.url, args.processes, args.count // args.processes)
        tell(broker.url, database.url, args.count)
        with server() as server:
            for count in 0, 1, 10:
                seconds, used = looks(server, max(10, args.count // 20), count)
                say('run that finds %d files' % count, seconds * 1000, 'ms')
                say('run that finds %d files: CPU time' % count, used * 1000, 'ms')
    return 0


if __name__ == '__main__':
    sys.exit(main())
