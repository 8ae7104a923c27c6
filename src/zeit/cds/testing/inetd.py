"""inetd for one program: inetd.py HOST PORT PROGRAM [ARGUMENT ...]

Whoever connects talks to a program of their own, whose stdin and stdout is the socket.
"""
import os
import signal
import socket
import sys


def main():
    host, port, *command = sys.argv[1:]
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)       # nobody waits for the programs' end
    with socket.create_server((host, int(port)), backlog=128) as listener:
        while True:
            connection, _ = listener.accept()
            with connection:
                if not os.fork():
                    become(command, connection.fileno())


def become(command, fd):
    """Be the program, in place of this process."""
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.dup2(fd, 0)
        os.dup2(fd, 1)
        os.execv(command[0], command)
    finally:
        os._exit(127)


if __name__ == '__main__':
    main()
