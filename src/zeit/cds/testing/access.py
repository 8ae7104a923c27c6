"""The directory of a server: who may use it, and how it gets empty."""
import os
import stat
import struct


# linux/posix_acl_xattr.h: version, then tag, permissions and id of each entry
ACL_VERSION = 2
USER_OBJ, USER, GROUP_OBJ, MASK, OTHER = 0x01, 0x02, 0x04, 0x10, 0x20
NO_ID = 0xffffffff


def share(directory, uid):
    """Let the user `uid` read, write and remove whatever is or will be below `directory`.

    Files that others put in later inherit the permission, as long as the one
    who makes them allows a group as much: a file of mode 0600 stays closed.
    """
    acl = struct.pack('<I', ACL_VERSION) + b''.join(
        struct.pack('<HHI', *entry) for entry in [
            (USER_OBJ, 7, NO_ID), (USER, 7, uid), (GROUP_OBJ, 5, NO_ID),
            (MASK, 7, NO_ID), (OTHER, 5, NO_ID)])
    for path, _, names in os.walk(directory):
        os.setxattr(path, 'system.posix_acl_access', acl)
        os.setxattr(path, 'system.posix_acl_default', acl)
        for name in names:
            name = os.path.join(path, name)
            if os.path.isfile(name) and not os.path.islink(name):
                os.setxattr(name, 'system.posix_acl_access', acl)


def empty(directory):
    """Remove whatever is in `directory`, also what nobody may read or search."""
    for entry in os.scandir(os.fsencode(directory)):
        if entry.is_dir(follow_symlinks=False):
            os.chmod(entry.path, stat.S_IRWXU)
            empty(entry.path)
            os.rmdir(entry.path)
        else:
            os.unlink(entry.path)
