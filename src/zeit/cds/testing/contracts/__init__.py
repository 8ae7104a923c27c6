"""What adapters have to keep: suites of tests for whoever writes one.

Each is a mixin for a `unittest.TestCase`, in which a subclass names what is under test; ours pass
the same tests.

`session`    SessionContract: an ICDSConnection, and the ICDSSession that it opens
`pipelined`  PipelinedContract: the IPipelined of such a session; a part of the above
`lock`       LockContract: an ILockFile
`sink`       an IFileSink, and the ISpool that it opens
`source`     an IFileSource, and the IOutbox that it opens
`journal`    an IJournal, and the IRecord that it opens; `queries`: what it answers

How to use that of sessions, by an example: connection.txt.
"""
