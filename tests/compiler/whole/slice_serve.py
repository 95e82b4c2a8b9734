"""Which pages of its weights a server holds after one token: what the step read, by the kernel's own books."""
import json
import re
import subprocess
import tempfile
import time
import urllib.request


def held_bytes(pid):
    """Of files in a folder called weights. /proc/PID/smaps: a line per mapping, then lines of what it holds."""
    total, is_weight = 0, False
    for line in open(f"/proc/{pid}/smaps"):
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            is_weight = "/weights/" in line
        elif is_weight and line.startswith("Rss:"):
            total += int(line.split()[1]) * 1024
    return total


def wait_for_url(server, log):
    deadline = time.monotonic() + 120  # a guard against hanging, not a measurement
    while time.monotonic() < deadline and server.poll() is None:
        log.seek(0)
        if found := re.search(r"listening on (http://\S+)", log.read()):
            return found[1]
        time.sleep(0.05)
    log.seek(0)
    raise SystemExit(f"FAILED  kimi-serve did not start: {log.read()}")


def touched_by_one_token(program, artifact):
    """Bytes, and what the server said. Weights are not verified: that would read them all."""
    with tempfile.TemporaryFile("w+") as log:
        server = subprocess.Popen([str(program), str(artifact), "--host", "127.0.0.1", "--port", "0", "--skip-verification"],
                                  stdout=log, stderr=subprocess.STDOUT)
        try:
            url = wait_for_url(server, log)
            before = held_bytes(server.pid)
            body = json.dumps({"prompt": [7], "max_tokens": 1, "temperature": 0}).encode()
            request = urllib.request.Request(f"{url}/v1/completions", body, {"Content-Type": "application/json"})
            reply = json.load(urllib.request.urlopen(request, timeout=120))
            assert reply["usage"]["completion_tokens"] == 1, reply
            touched = held_bytes(server.pid) - before
        finally:
            server.terminate()
            server.wait()
        log.seek(0)
        return touched, log.read()
