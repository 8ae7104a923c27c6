"""What a process of ours does first of all, before it knows what it is about to do; and last.

Only an entry point of the console does this: an application that imports our modules keeps its
garbage collector as it is.
"""
import atexit
import contextlib
import gc
import os
import sys
import threading


@contextlib.contextmanager
def starting():
    """In the block, the modules of a command are imported."""
    open_standard_files()
    look_into_library_first()
    collects = gc.isenabled()
    gc.disable()    # what is imported stays: to look through it again and again takes a quarter
    yield           # of the time of all that
    gc.freeze()     # nor need it be looked through later on, and at the end
    gc.set_threshold(20_000, 10, 10)    # what a run makes hardly ever refers to itself
    if collects:
        gc.enable()


def look_into_library_first():
    """Modules of Python's own library are not looked for in all eggs, which buildout puts before it
    in the path; elsewhere it is so, anyway.
    """
    library = os.path.dirname(os.__file__)
    sys.path.sort(key=lambda path: path not in (library, os.path.join(library, 'lib-dynload')))


def open_standard_files():
    """Whatever standard file is closed becomes /dev/null.

    Else the next file that is opened, such as one of the spool, would get its place, and what
    somebody prints.
    """
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)      # takes the lowest number that is free
    for name, fd, mode in ('stdin', 0, 'r'), ('stdout', 1, 'w'), ('stderr', 2, 'w'):
        if getattr(sys, name) is None:
            setattr(sys, name, open(fd, mode, encoding='utf-8', closefd=False))


def end(status):
    """End the process as sys.exit does, but leave its memory to the system.

    To take all modules and classes apart, one by one, would take a fifteenth of the time of a run
    that finds nothing. Who has asked to be called at the end is called, a thread that shall
    come to its end does, and what nobody took from us is told as ever.

    status -- int: the exit status
    """
    if all(thread.daemon for thread in threading.enumerate()
           if thread is not threading.main_thread()):
        atexit._run_exitfuncs()
        with contextlib.suppress(OSError, ValueError):      # Python tells of it
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    sys.exit(status)


def silence(fd):
    """Nobody listens at a standard file any more: what else goes there is lost, no error."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, fd)
    os.close(null)
