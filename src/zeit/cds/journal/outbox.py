"""Files for which an application wants a task, noted in the transaction that notes that they were
published: so none is forgotten, whatever dies. Who sends these tasks is zeit.cds.fleet.telling.
"""
import time

from zeit.cds.journal.loading import parts


def add(writing, wanted):
    """Have a task be sent for each of these files, once.

    writing -- see zeit.cds.journal.statements.Writing
    wanted -- {key of a file: name of the task}
    """
    for keys in parts(wanted):
        known = {row['key'] for row in writing.run('tasks of keys', dict(keys=keys))}
        there = {row['key'] for row in writing.run('of keys', dict(keys=keys))}
        if rows := [dict(key=key, task=wanted[key], added=time.time_ns(), due=0, tries=0)
                    for key in sorted(there - known)]:
            writing.run('want a task', rows)
