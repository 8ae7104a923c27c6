"""Sessions with an SFTP server, by the system's own `ssh` below a small packet layer.

Why not a library: 2,000 files of 4 KiB, and one of 256 MiB, from OpenSSH 9.2's sshd on the same
machine (two busy cores, the best of three), each with the requests it can have underway::

                        import   login   2,000 files   256 MiB
    ssh -s sftp, ours        -   0.21 s       0.12 s     1.1 s
    ssh2-python 1.2     0.02 s   0.13 s       1.0  s     3.6 s
    asyncssh 2.24       0.27 s   0.11 s       2.2  s     2.2 s
    paramiko 5.1        0.18 s   0.12 s       3.8  s     2.9 s

(Files are small: since then, an import has up to 32 of them underway at a time, which halves the
processor time of all processes, see benchmarks/README.txt.)

The ciphers run in a process of their own, on another core; which requests are underway is our own
decision, also across files; and ~/.ssh/config, jump hosts, agents, hardware keys and known_hosts
are what people know from their `ssh`. Its packets (version 3, draft-ietf-secsh-filexfer-02) take
less code than any library takes to be tamed. The extra `[sftp]` needs no package for it.
"""
