"""Spools in an object store: S3 and what speaks like it, Google Cloud Storage, Azure.

The life of a file is the same as on a disk, with prefixes for directories::

    tmp/.parts/FEED/RUN/N    a large file that is being received, and later its data
    tmp/NAME                 whole and durable: all of a small file; of a large one a record, which
                             names its data
    new/NAME                 published
    cur/                     the consumer's
    tmp/.conditions/         two empty objects that show that conditional writes are honoured

An object appears whole or not at all, and is durable when the store has said so. What such a store
lacks is a rename. A file is published by a copy on the condition that nothing has its name in new;
then what is in tmp is removed. A process may be killed between the two, and the consumer be quick:
therefore each received file gets an identity, a random number in the metadata `cdsid`. A copy
inside of the store keeps it.

What a run finds under tmp/NAME, once it holds the lock on the server's directory:

    ==========================  ==========================  =====================================
    new/NAME                    cur/NAME, or cur/NAME.N     so it was
    ==========================  ==========================  =====================================
    has the same identity       any                         published: what is in tmp is removed
    none, or another identity   one has the same identity   published, and taken by the consumer:
                                                            what is in tmp is removed
    another identity            none                        not published, and an older file of
                                                            the name is unread: it waits in tmp
    none                        none                        not published: the run goes on with
                                                            what the server has of it
    ==========================  ==========================  =====================================

The last row holds for a consumer that takes a file by moving it to cur, as a gocept.filestore's
does. No store has a trace of an object that was published and then deleted: of a consumer which
deletes at once, a kill within the milliseconds between copy and removal makes one file appear
twice, with the same `cdsid`.

The kills in between, each of which is one of these states or one of the following:

    ==============================  ===============================================================
    killed                          the next run, on any host
    ==============================  ===============================================================
    while data come                 removes what is in tmp/.parts of that feed, aborts the multipart
                                    uploads to there; fetches the file again
    before tmp/NAME is written      the same
    before the server's file goes   finds tmp/NAME and the same file on the server: removes that,
                                    and publishes
    before, or during the copy      publishes. A copy that is still underway and comes too late
                                    finds nothing in tmp to copy any more
    before tmp/NAME is removed      see above
    ==============================  ===============================================================

The first removal is of the record tmp/NAME, then that of the data: so data without a record are
worthless.

The library is `obstore`. Measured with SeaweedFS 4.48 and 1,000 objects of 4 KiB, which 16 threads
write on condition; two cores, on which the store and much else ran: medians of three rounds, of
which CPU time is worth the most:

    ==============  ======  ============  =========  =========  ===================================
    library         first   objects a     CPU each,  removing   conditional writes
                    one,    second        ms         1,001, s
                    ms      (most, idle)
    ==============  ======  ============  =========  =========  ===================================
    obstore 0.12        75     173 (948)       0.29        0.8  PUT and COPY; S3, Google and Azure
    opendal 0.47       119     164 (696)       0.27        2.1  PUT; the three
    boto3 1.44        2012      99             2.27        2.5  PUT and COPY; S3 only
    minio 7.2         1063     204 (455)       0.78        1.7  none; S3 only
    ==============  ======  ============  =========  =========  ===================================

Obstore and opendal have one wheel for all Pythons from 3.11 on (abi3) of 6 and 19 MB. Obstore's own
`asyncio` was no faster than threads, and took more CPU time. What it does not have: lists of
multipart uploads, and profiles of AWS. For these there is botocore, imported when it is needed.
"""
