"""A kernel without nftables, for one process: its netfilter netlink sockets cannot be made.

A kernel built without nfnetlink answers socket(AF_NETLINK, …, NETLINK_NETFILTER) with
EPROTONOSUPPORT. A seccomp filter, kept across exec, gives exactly that answer.
"""

import ctypes
import errno
import os
import platform
import struct

from netns import libc

SOCKET_CALL = {"x86_64": 41, "aarch64": 198}[platform.machine()]
AF_NETLINK = 16
NETLINK_NETFILTER = 12
PR_SET_SECCOMP = 22
SECCOMP_MODE_FILTER = 2
RET_ALLOW = 0x7FFF0000
RET_ERRNO = 0x00050000
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_RET|K


def without_nftables():
    """For preexec_fn: the process and its children are refused netfilter sockets."""
    program = b"".join(struct.pack("HBBI", *line) for line in (
        (LOAD, 0, 0, 0),  # the call's number
        (EQUAL, 0, 5, SOCKET_CALL),
        (LOAD, 0, 0, 16),  # its first argument
        (EQUAL, 0, 3, AF_NETLINK),
        (LOAD, 0, 0, 32),  # its third argument
        (EQUAL, 0, 1, NETLINK_NETFILTER),
        (RETURN, 0, 0, RET_ERRNO | errno.EPROTONOSUPPORT),
        (RETURN, 0, 0, RET_ALLOW),
    ))
    code = ctypes.create_string_buffer(program)
    filter_ = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(code))
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filter_, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
