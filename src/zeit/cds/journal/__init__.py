"""The journal: what became of each file, and of each run, in a database.

A run notes what it does in its spool (`notes`, `record`), which takes no database, and hands the
notes to the journal at its end, or now and then (`loading`). `queries` answers what people and
pages ask. See zeit.cds.interfaces.journal.
"""
