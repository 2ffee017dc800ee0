"""Waits until the server on this port answers, or until it is gone."""

import os
import sys
import time
import urllib.request

port, pid = sys.argv[1], int(sys.argv[2])
end = time.monotonic() + 60
while time.monotonic() < end:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        sys.exit("the server ended")
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2)
        sys.exit(0)
    except OSError:
        time.sleep(0.05)
sys.exit("the server is not ready")
