"""Support for tests of zeit.cds, and of packages that use it.

Texts (doctests)
    `DocFileSuite` turns texts into a suite, compared by `checker`;
    `start_logging`, `dumplog` and `stop_logging` show the log in them; `recorded`
    keeps it in a block.

FTP servers
    `start_ftp_server` and `stop_ftp_server`: one in a thread of this process,
    on port 2001. `zeit.cds.testing.servers` runs vsftpd, ProFTPD, Pure-FTPd
    and pyftpdlib as programs; `on_servers` runs a test on each of them, by way
    of the layers `PYFTPDLIB_LAYER`, `VSFTPD_LAYER`, `PROFTPD_LAYER` and
    `PUREFTPD_LAYER`. `zeit.cds.testing.faulty` is one that misbehaves.

Components
    `ZCMLLayer` loads a ZCML file into a registry of its own; `ZCML_LAYER` that
    of zeit.cds.
"""
from zeit.cds.testing.embedded import ftp_server_port, start_ftp_server, stop_ftp_server
from zeit.cds.testing.layers import (
    on_servers,
    PROFTPD_LAYER,
    PUREFTPD_LAYER,
    PYFTPDLIB_LAYER,
    SERVER_LAYERS,
    ServerLayer,
    ServerTestCase,
    VSFTPD_LAYER,
    ZCML_LAYER,
    ZCMLLayer,
)
from zeit.cds.testing.logs import dumplog, recorded, start_logging, stop_logging
from zeit.cds.testing.texts import checker, DocFileSuite


__all__ = [
    'DocFileSuite', 'PROFTPD_LAYER', 'PUREFTPD_LAYER', 'PYFTPDLIB_LAYER', 'SERVER_LAYERS',
    'ServerLayer', 'ServerTestCase', 'VSFTPD_LAYER', 'ZCMLLayer', 'ZCML_LAYER', 'checker',
    'dumplog', 'ftp_server_port', 'on_servers', 'recorded', 'start_ftp_server', 'start_logging',
    'stop_ftp_server', 'stop_logging',
]
