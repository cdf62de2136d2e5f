"""What is in the world of job_kills.py: its processes, who is at which job, what agents keep of their conversations."""
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

HOME = Path(os.environ["HOME"])


# ---------------------------------------------------------------- processes of this world
def environ(pid):
    try:
        return dict(part.split("=", 1) for part in Path(f"/proc/{pid}/environ").read_text(errors="replace").split("\0") if "=" in part)
    except OSError:
        return {}


def is_ours(pid):
    return bool(pid) and environ(pid).get("HOME") == str(HOME)


def kill(pid):
    """Whether a process of this world was there to be killed."""
    if not is_ours(pid):
        return False
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:
        return False
    return True


def stat(pid):
    """Its group and its start."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return int(words[2]), int(words[19])
    except (OSError, IndexError):
        return None


def text_of(path):
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""


def json_of(path):
    try:
        return json.loads(text_of(path))
    except ValueError:
        return None


def lines_of(path):
    """The records of a file that others are writing."""
    for line in text_of(path).splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            pass


# ---------------------------------------------------------------- who is in a conversation
CONVERSATION = re.compile(r"(?:--session-id|--resume|resume)\0([0-9a-f-]{36})\0")


class Sampler(threading.Thread):
    """Looks at all agents again and again: never are two at one job, or in one conversation."""

    def __init__(self):
        super().__init__(daemon=True)
        self.samples, self.seen, self.doubles, self.is_over = 0, Counter(), [], False

    def run(self):
        while not self.is_over:
            self.sample()
            time.sleep(0.05)

    def sample(self):
        groups = {}
        for name in os.listdir("/proc"):
            if not name.isdigit():
                continue
            argv = text_of(f"/proc/{name}/cmdline")
            if "stream-json" not in argv and "exec\0--json" not in argv:
                continue
            env, known = environ(name), stat(name)
            if env.get("HOME") != str(HOME) or "HEADCOUNT_JOB" not in env or not known:
                continue
            keys = [f"job {env['HEADCOUNT_JOB']}"] + [f"conversation {id}" for id in CONVERSATION.findall(argv)[:1]]
            for key in keys:
                groups.setdefault(key, {}).setdefault(known[0], []).append((name, known))
        self.samples += 1
        for key, found in groups.items():
            self.seen[key.removeprefix("job ")] += 1
            # What was seen first may have ended before what was seen last began: all of it has to be there still.
            still = [group for group, members in found.items() if any(stat(pid) == known and environ(pid) for pid, known in members)]
            if len(still) > 1:
                self.doubles.append(f"{key}: groups {still} at {time.time():.2f}")


def sampler_sees_doubles():
    """Whether it would notice: two that only look like agents."""
    sampler = Sampler()
    fake = [sys.executable, "-c", "import time; time.sleep(60)", "--output-format", "stream-json"]
    pair = [subprocess.Popen(fake, env={**os.environ, "HEADCOUNT_JOB": "control"}, start_new_session=True) for _ in range(2)]
    try:
        until = time.time() + 10
        while not sampler.doubles and time.time() < until:
            sampler.sample()
        return bool(sampler.doubles)
    finally:
        for one in pair:
            one.kill()
            one.wait()


# ---------------------------------------------------------------- what agents keep
def transcripts(agent):
    """What was said in each conversation, by its id."""
    pattern = ".claude/projects/*/*.jsonl" if agent == "claude" else ".codex/sessions/*/*/*/rollout-*.jsonl"
    for path in HOME.glob(pattern):
        talk = {"user": [], "agent": []}
        for record in lines_of(path):
            (claude_line if agent == "claude" else codex_line)(record, talk)
        yield path.stem if agent == "claude" else path.stem[-36:], talk


def claude_line(record, talk):
    message = record.get("message") or {}
    content = message.get("content")
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content or []
    texts = [block["text"] for block in blocks if block.get("type") == "text"]
    side = {"user": "user", "assistant": "agent"}.get(record.get("type"))
    if side and not record.get("isMeta") and not record.get("isSidechain"):
        talk[side] += texts


def codex_line(record, talk):
    item = record.get("payload") or {}
    if record.get("type") == "response_item" and item.get("type") == "message" and item.get("role") in ("user", "assistant"):
        texts = [part.get("text", "") for part in item.get("content") or []]
        talk["user" if item["role"] == "user" else "agent"] += texts
