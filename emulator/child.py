"""Starts a command that dies with its parent: `python child.py PARENT_PID COMMAND...`.

Run as a file, with nothing but the standard library, so that it starts at once. On Linux the kernel ends the command
when the parent's thread that started it ends, however it ends; elsewhere this process stays and watches.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

_PR_SET_PDEATHSIG = 1
_GONE = 1


def main() -> None:
    """Become the command, or watch over it."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the kernel knew
            sys.exit(_GONE)
        os.execvp(command[0], command)
    with subprocess.Popen(command) as process:
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        while process.poll() is None and os.getppid() == parent:
            time.sleep(0.2)
        if process.poll() is None:
            process.kill()
        sys.exit(process.wait())


if __name__ == "__main__":
    main()
