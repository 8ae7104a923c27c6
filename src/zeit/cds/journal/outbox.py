"""Files for which an application wants a task, noted in the transaction that notes that they were
published: so none is forgotten, whatever dies. Who sends these tasks is zeit.cds.fleet.telling.
"""
import time

from zeit.cds.journal.loading import parts


def add(writing, sections, task):
    """Have a task be sent for each file that these sections published.

    writing -- see zeit.cds.journal.statements.Writing
    sections -- list of lists of events, see `notes`
    task -- its name, str
    """
    published = {event[1] for section in sections for event in section if event[0] == 'published'}
    for keys in parts(published):
        known = {row['key'] for row in writing.run('tasks of keys', dict(keys=keys))}
        there = {row['key'] for row in writing.run('of keys', dict(keys=keys))}
        if rows := [dict(key=key, task=task, added=time.time_ns(), due=0, tries=0)
                    for key in sorted(there - known)]:
            writing.run('want a task', rows)
