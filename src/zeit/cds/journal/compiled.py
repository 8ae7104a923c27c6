"""The statements as SQLite wants them. Written by zeit.cds.journal.statements."""


COLUMNS = ['key',
 'feed',
 'direction',
 'name',
 'state',
 'pending',
 'size',
 'digest',
 'modified',
 'seen',
 'whole',
 'published',
 'taken',
 'changed',
 'tries',
 'reason',
 'run',
 'host',
 'spool']

TABLES = ['CREATE TABLE about (\n\tversion INTEGER NOT NULL, \n\tPRIMARY KEY (version)\n)',
 'CREATE TABLE files (\n'
 '\tid INTEGER NOT NULL, \n'
 '\t"key" TEXT NOT NULL, \n'
 '\tfeed TEXT NOT NULL, \n'
 '\tdirection TEXT NOT NULL, \n'
 '\tname TEXT NOT NULL, \n'
 '\tstate TEXT NOT NULL, \n'
 '\tpending TEXT, \n'
 '\tsize BIGINT, \n'
 '\tdigest BLOB, \n'
 '\tmodified BIGINT, \n'
 '\tseen BIGINT, \n'
 '\twhole BIGINT, \n'
 '\tpublished BIGINT, \n'
 '\ttaken BIGINT, \n'
 '\tchanged BIGINT NOT NULL, \n'
 '\ttries INTEGER NOT NULL, \n'
 '\treason TEXT, \n'
 '\trun TEXT, \n'
 '\thost TEXT, \n'
 '\tspool TEXT, \n'
 '\tPRIMARY KEY (id), \n'
 '\tUNIQUE ("key")\n'
 ')',
 'CREATE INDEX files_changed ON files (changed)',
 'CREATE INDEX files_digest ON files (digest)',
 'CREATE INDEX files_feed ON files (feed, direction, changed)',
 'CREATE INDEX files_name ON files (name, changed)',
 'CREATE INDEX files_names ON files (feed, direction, name)',
 'CREATE INDEX files_open ON files (feed, direction, pending, name) WHERE pending IS NOT '
 'NULL',
 'CREATE INDEX files_pending ON files (pending, feed, direction, seen) WHERE pending IS '
 'NOT NULL',
 'CREATE INDEX files_published ON files (feed, direction, published, size, modified)',
 'CREATE TABLE kept (\n'
 '\tfeed TEXT NOT NULL, \n'
 '\tname TEXT NOT NULL, \n'
 '\tsize BIGINT, \n'
 '\tmodified BIGINT, \n'
 '\tgone BIGINT, \n'
 '\tPRIMARY KEY (feed, name)\n'
 ')',
 'CREATE TABLE outbox (\n'
 '\t"key" TEXT NOT NULL, \n'
 '\ttask TEXT NOT NULL, \n'
 '\tadded BIGINT NOT NULL, \n'
 '\tdue BIGINT NOT NULL, \n'
 '\ttries INTEGER NOT NULL, \n'
 '\ttold BIGINT, \n'
 '\tPRIMARY KEY ("key")\n'
 ')',
 'CREATE INDEX outbox_due ON outbox (due) WHERE told IS NULL',
 'CREATE TABLE runs (\n'
 '\trun TEXT NOT NULL, \n'
 '\tfeed TEXT NOT NULL, \n'
 '\tdirection TEXT NOT NULL, \n'
 '\thost TEXT NOT NULL, \n'
 '\tpid INTEGER NOT NULL, \n'
 '\tbegun BIGINT NOT NULL, \n'
 '\tended BIGINT, \n'
 '\tfiles INTEGER NOT NULL, \n'
 '\tbytes BIGINT NOT NULL, \n'
 '\tskipped INTEGER NOT NULL, \n'
 '\tfailed INTEGER NOT NULL, \n'
 '\twaiting INTEGER, \n'
 '\terror TEXT, \n'
 '\tnoted INTEGER NOT NULL, \n'
 '\tPRIMARY KEY (run)\n'
 ')',
 'CREATE INDEX runs_begun ON runs (begun)',
 'CREATE INDEX runs_direction ON runs (feed, direction, begun)',
 'CREATE INDEX runs_feed ON runs (feed, begun)',
 'CREATE TABLE silences (\n'
 '\tfeed TEXT NOT NULL, \n'
 '\tdirection TEXT NOT NULL, \n'
 '\tPRIMARY KEY (feed, direction)\n'
 ')',
 'INSERT INTO about VALUES (1)']

WORDS = ['beyond',
 'error',
 'feed',
 'name',
 'names',
 'of_feed',
 'of_name',
 'of_spool',
 'reason',
 'spool']

STATEMENTS = {'be silent': 'INSERT INTO silences (feed, direction) VALUES (:feed, :direction)',
 'begin': 'INSERT INTO runs (run, feed, direction, host, pid, begun, files, bytes, '
          'skipped, failed, noted) VALUES (:run, :feed, :direction, :host, :pid, :begun, '
          ':files, :bytes, :skipped, :failed, :noted)',
 'change': 'UPDATE files SET "key"=:key, feed=:feed, direction=:direction, name=:name, '
           'state=:state, pending=:pending, size=:size, digest=:digest, '
           'modified=:modified, seen=:seen, whole=:whole, published=:published, '
           'taken=:taken, changed=:changed, tries=:tries, reason=:reason, run=:run, '
           'host=:host, spool=:spool WHERE files.id = :of_id',
 'end': 'UPDATE runs SET ended=:ended, files=:files, bytes=:bytes, skipped=:skipped, '
        'failed=:failed, waiting=:waiting, error=:error, noted=:noted WHERE runs.run = '
        ':of_run',
 'end asides': "UPDATE files SET state='gone', pending=NULL, changed=:changed, "
               'reason=:reason WHERE files.feed = :of_feed AND files.direction = '
               ":of_direction AND files.pending = 'aside' AND files.name IN "
               '(__[POSTCOMPILE_names])',
 'expire empty runs': 'DELETE FROM runs WHERE runs.begun > :after AND runs.begun < :before '
                      'AND runs.files = 0 AND runs.failed = 0 AND runs.error IS NULL AND '
                      'runs.begun > (SELECT min(runs_1.begun) AS min_1 \n'
                      'FROM runs AS runs_1 \n'
                      'WHERE runs_1.feed = runs.feed AND runs_1.direction = '
                      'runs.direction)',
 'expire files': 'DELETE FROM files WHERE files.id IN (SELECT files.id \n'
                 'FROM files \n'
                 'WHERE files.changed < :before AND files.state IN '
                 '(__[POSTCOMPILE_states])\n'
                 ' LIMIT :some OFFSET 0)',
 'expire kept': 'DELETE FROM kept WHERE kept.gone < :before',
 'expire runs': 'DELETE FROM runs WHERE runs.begun < :before',
 'expire tasks': 'DELETE FROM outbox WHERE outbox.told < :before',
 'failures': 'SELECT files.id, files."key", files.feed, files.direction, files.name, '
             'files.state, files.pending, files.size, files.digest, files.modified, '
             'files.seen, files.whole, files.published, files.taken, files.changed, '
             'files.tries, files.reason, files.run, files.host, files.spool \n'
             'FROM files \n'
             'WHERE files.feed = :of_feed AND files.direction = :of_direction AND '
             'files.pending IN (__[POSTCOMPILE_states])\n'
             ' LIMIT :some OFFSET 0',
 'forget': "UPDATE files SET state='gone', pending=NULL, changed=:changed, reason=:reason "
           'WHERE files.feed = :of_feed AND files.direction = :of_direction AND '
           'files.pending IN (__[POSTCOMPILE_states]) AND files.run != :of_run AND '
           'files.changed < :begun',
 'forget kept': 'DELETE FROM kept WHERE kept.feed = :of_feed AND kept.name IN '
                '(__[POSTCOMPILE_names])',
 'forget of host': "UPDATE files SET state='gone', pending=NULL, changed=:changed, "
                   'reason=:reason WHERE files.feed = :of_feed AND files.direction = '
                   ':of_direction AND files.host = :of_host AND files.pending IN '
                   '(__[POSTCOMPILE_states]) AND files.run != :of_run AND files.changed < '
                   ':begun',
 'go on': 'UPDATE runs SET noted=:noted WHERE runs.run = :of_run',
 'is aside': 'SELECT files.id \n'
             'FROM files \n'
             'WHERE files.feed = :of_feed AND files.direction = :of_direction AND '
             "files.pending = 'aside'\n"
             ' LIMIT 1 OFFSET 0',
 'keep': 'INSERT INTO kept (feed, name, size, modified) VALUES (:feed, :name, :size, '
         ':modified)',
 'kept': 'SELECT kept.name, kept.size, kept.modified, kept.gone \n'
         'FROM kept \n'
         'WHERE kept.feed = :of_feed AND kept.name > :beyond ORDER BY kept.name\n'
         ' LIMIT :some OFFSET 0',
 'kept are gone': 'UPDATE kept SET gone=:gone WHERE kept.feed = :of_feed AND kept.name IN '
                  '(__[POSTCOMPILE_names])',
 'new': 'INSERT INTO files ("key", feed, direction, name, state, pending, size, digest, '
        'modified, seen, whole, published, taken, changed, tries, reason, run, host, '
        'spool) VALUES (:key, :feed, :direction, :name, :state, :pending, :size, :digest, '
        ':modified, :seen, :whole, :published, :taken, :changed, :tries, :reason, :run, '
        ':host, :spool)',
 'noted': 'SELECT runs.noted \nFROM runs \nWHERE runs.run = :of_run',
 'of keys': 'SELECT files.id, files."key", files.feed, files.direction, files.name, '
            'files.state, files.pending, files.size, files.digest, files.modified, '
            'files.seen, files.whole, files.published, files.taken, files.changed, '
            'files.tries, files.reason, files.run, files.host, files.spool \n'
            'FROM files \n'
            'WHERE files."key" IN (__[POSTCOMPILE_keys])',
 'open': 'SELECT files.id, files."key", files.feed, files.direction, files.name, '
         'files.state, files.pending, files.size, files.digest, files.modified, '
         'files.seen, files.whole, files.published, files.taken, files.changed, '
         'files.tries, files.reason, files.run, files.host, files.spool \n'
         'FROM files \n'
         'WHERE files.feed = :of_feed AND files.direction = :of_direction AND '
         'files.pending IN (__[POSTCOMPILE_states]) AND files.name IN '
         '(__[POSTCOMPILE_names])',
 'retry': "UPDATE files SET state='failed', pending='failed', changed=:changed, tries=0 "
          "WHERE files.name = :of_name AND files.pending = 'aside'",
 'retry of feed': "UPDATE files SET state='failed', pending='failed', changed=:changed, "
                  "tries=0 WHERE files.name = :of_name AND files.pending = 'aside' AND "
                  'files.feed = :of_feed',
 'silent': 'SELECT count(*) AS number \n'
           'FROM silences \n'
           'WHERE silences.feed = :of_feed AND silences.direction = :of_direction',
 'speak': 'DELETE FROM silences WHERE silences.feed = :of_feed AND silences.direction = '
          ':of_direction',
 'take': "UPDATE files SET state='taken', pending=NULL, taken=:taken, changed=:changed "
         'WHERE files.id = :of_id',
 'tasks of keys': 'SELECT outbox."key" \n'
                  'FROM outbox \n'
                  'WHERE outbox."key" IN (__[POSTCOMPILE_keys])',
 'untaken': 'SELECT files.id, files.name \n'
            'FROM files \n'
            "WHERE files.feed = :of_feed AND files.direction = 'import' AND files.pending "
            "= 'published' AND files.host = :of_host AND files.spool = :of_spool ORDER BY "
            'files.id DESC',
 'want a task': 'INSERT INTO outbox ("key", task, added, due, tries) VALUES (:key, :task, '
                ':added, :due, :tries)'}
