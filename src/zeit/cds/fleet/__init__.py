"""The fleet: exchanges as tasks of Celery, on any number of hosts. See fleet.txt.

::

    beat ──every `every`──▶ broker ──queue──▶ worker ──claim──▶ run ──▶ lock of the server
                                                │  ▲
                                   heartbeat    ▼  │  who is alive, who works on what
                                             the journal's database

`tasks` are for any Celery application, `celery` is one for sites that have none. `crew` is what the
workers know among themselves, `pulse` how they show that they live, `telling` how an application
gets a task for each file. Nothing of a plain run imports this room.
"""
