#!/usr/bin/env python3
"""Stands for ssh: runs the last word of its command line by a shell in another HOME. ~/doors/HOST says in which, and what is wrong."""

import json
import os
import subprocess
import sys
import threading
import time

HOME = os.environ["HOME"]
with open(os.path.join(HOME, "ssh-calls"), "a", encoding="utf-8") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\n")
target, command = sys.argv[-2:]
try:
    with open(os.path.join(HOME, "doors", target), encoding="utf-8") as file:
        door = json.load(file)
except FileNotFoundError:
    sys.stderr.write(f"ssh: Could not resolve hostname {target}: Name or service not known\r\n")
    sys.exit(255)
what = door.get("what", "open")
if what == "refuses":
    sys.stderr.write(f"ssh: connect to host {target} port 22: Connection refused\r\n")
    sys.exit(255)
if what == "hangs":
    time.sleep(120)
if "-t" in sys.argv:
    os.chdir(door["env"]["HOME"])
    os.execvpe("/bin/sh", ["sh", "-c", command], {**door["env"], "TERM": os.environ.get("TERM", "screen")})
there = subprocess.Popen(["/bin/sh", "-c", command], env=door["env"], cwd=door["env"]["HOME"],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def up():
    while chunk := os.read(0, 65536):
        if what == "slow":
            time.sleep(0.2)
        there.stdin.write(chunk)
        there.stdin.flush()
    there.stdin.close()


def say(line):
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


threading.Thread(target=up, daemon=True).start()
if what == "noisy":
    say(b"Welcome to the machine\n\x1b[31mLast login: never\x1b[0m\n")
for line in there.stdout:
    try:
        reply = json.loads(line)
    except ValueError:
        reply = {}
    if what == "slow":
        time.sleep(0.2)
    if "hello" in reply:
        reply["hello"].update(door.get("hello", {}))
        line = json.dumps(reply).encode() + b"\n"
    elif what == "cut":
        os._exit(255)
    elif what == "freezes":
        time.sleep(120)
    elif what == "garbles":
        line = b"\x1b]0;owned\x07 what?\n"
    say(line)
sys.exit(there.wait())
