"""The command line as on another machine: with another name and clock, on a disk whose locks lock nothing.

Called with the machine's name, how many seconds its clock is ahead, the seconds of a lease, and the command's words.
"""

import fcntl
import platform
import socket
import sys
import time
from datetime import datetime, timedelta


def become(host, ahead, lease):
    """Change this process before it imports what it will use."""
    clock = time.time
    time.time = lambda: clock() + ahead
    socket.gethostname = platform.node = lambda: host
    fcntl.flock = lambda *_: None
    from cifar_linear.storage import leases

    leases.DURATION, leases._HEARTBEAT = lease, lease / 5
    from cifar_linear.runs import folder

    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + timedelta(seconds=ahead)

    folder.datetime = Clock


if __name__ == "__main__":
    host, ahead, lease, *sys.argv[1:] = sys.argv[1:]
    become(host, float(ahead), float(lease))
    from cifar_linear.__main__ import main

    main()
