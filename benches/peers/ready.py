"""How long a server takes from exec to its first healthy answer, in milliseconds: ready.py PORT COMMAND..."""

import socket
import subprocess
import sys
import time

port, command = int(sys.argv[1]), sys.argv[2:]
begun = time.perf_counter()
server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
try:
    while server.poll() is None and time.perf_counter() - begun < 60:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                if connection.recv(64).startswith(b"HTTP/1.1 200"):
                    print(f"{(time.perf_counter() - begun) * 1e3:.0f}")
                    break
        except OSError:
            pass
        time.sleep(0.001)
    else:
        sys.exit("it was never healthy")
finally:
    server.terminate()
    server.wait()
