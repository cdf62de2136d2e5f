#!/usr/bin/env python3
"""A client of `headcount mcp`, which is the command line behind it: asks for the list and prints its document. What was not done is said on
stderr, with exit code 1."""
import json
import subprocess
import sys

server = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def fail(why):
    sys.stderr.write(f"error: {why}\n")
    sys.exit(1)


def say(method, **message):
    server.stdin.write(json.dumps({"jsonrpc": "2.0", "method": method, **message}) + "\n")
    server.stdin.flush()


def ask(number, method, params):
    say(method, id=number, params=params)
    for line in server.stdout:
        answer = json.loads(line)
        if answer.get("id") == number:
            return answer.get("result") or fail(answer["error"]["message"])
    return fail("the server has ended")


client = {"name": "a test", "version": "1"}
try:
    ask(1, "initialize", {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client})
    say("notifications/initialized")
    result = ask(2, "tools/call", {"name": "list", "arguments": {}})
    if result.get("isError"):
        fail(result["content"][0]["text"])
    print(json.dumps(result["structuredContent"]), flush=True)
    server.stdin.close()
    server.wait(20)
except OSError as error:
    fail(error)
