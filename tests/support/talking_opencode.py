#!/usr/bin/env python3
"""A stand-in for OpenCode that can be typed to: it draws the composer of the real one, on its first screen and in a conversation, and
writes its conversation into the database of its home as soon as a prompt is taken. `@@slow SECONDS` says how long an answer takes."""
import json, os, re, select, sqlite3, sys, termios, time, tty, uuid

home = os.environ.get("XDG_DATA_HOME", os.path.expanduser("~/.local/share")) + "/opencode"
database = sqlite3.connect(f"{home}/opencode.db", isolation_level=None)
state = {"held": "", "session": None, "said": [], "ends": None, "prompt": None}


def now():
    return int(time.time() * 1000)


def message(role, text, **more):
    name = f"msg_{uuid.uuid4().hex}"
    data = {"role": role, "time": {"created": now()}, **more}
    database.execute("INSERT INTO message (id, session_id, time_created, time_updated, data) VALUES (?, ?, ?, ?, ?)",
                     (name, state["session"], now(), now(), json.dumps(data)))
    database.execute("INSERT INTO part (id, message_id, session_id, time_created, time_updated, data) VALUES (?, ?, ?, ?, ?, ?)",
                     (f"prt_{uuid.uuid4().hex}", name, state["session"], now(), now(), json.dumps({"type": "text", "text": text})))
    database.execute("UPDATE session SET time_updated = ? WHERE id = ?", (now(), state["session"]))
    return name


def begin(text):
    if not state["session"]:
        state["session"] = f"ses_{uuid.uuid4().hex}"
        database.execute("INSERT INTO session (id, project_id, slug, directory, title, version, time_created, time_updated) "
                         "VALUES (?, 'global', 's', ?, 't', '1.18.33', ?, ?)", (state["session"], os.getcwd(), now(), now()))
    state["said"].append(text)
    state["prompt"] = message("user", text)
    slow = re.search(r"@@slow ([0-9.]+)", text)
    state["ends"] = time.time() + float(slow[1] if slow else 0.1)


def end():
    state["ends"] = None
    message("assistant", "done", parentID=state["prompt"], finish="stop", time={"created": now(), "completed": now()})


def draw():
    _, rows = os.get_terminal_size()
    lines = state["said"][-5:] or ["", "  opencode", ""]
    at = len(lines) + 2
    held = state["held"].split("\n")
    lines = lines + ["  ┃"] + ["  ┃  " + part for part in held if not (part == "" and not state["session"])]
    if held == [""] and not state["session"]:
        lines.append('  ┃  Ask anything… "Fix a TODO in the codebase"')
    lines += ["  ┃", "  ┃  Build · fake fake", "  ╹" + "▀" * 90]
    lines.append("   esc interrupt" if state["ends"] else "   tab agents  ctrl+p commands")
    place = f"\x1b[{at + len(held) - 1};{6 + len(held[-1])}H"
    sys.stdout.write("\x1b[2J\x1b[H" + "\r\n".join(lines[:rows - 1]) + place)
    sys.stdout.flush()


def take(buffer):
    while buffer:
        if buffer.startswith(b"\x1b[200~"):
            text, found, rest = buffer[6:].partition(b"\x1b[201~")
            if not found:
                return buffer
            state["held"] += text.decode().replace("\r", "\n")
            buffer = rest
        elif buffer.startswith(b"\r"):
            if state["held"].strip():
                text, state["held"] = state["held"], ""
                begin(text)
            buffer = buffer[1:]
        elif buffer.startswith(b"\x1b"):
            return buffer if len(buffer) < 6 else buffer[1:]
        else:
            state["held"] += chr(buffer[0])
            buffer = buffer[1:]
    return b""


tty.setraw(0, termios.TCSANOW)
sys.stdout.write("\x1b[?2004h")
draw()
rest = b""
while True:
    ready, _, _ = select.select([0], [], [], 0.03)
    if ready:
        rest = take(rest + os.read(0, 65536))
    elif state["ends"] and time.time() > state["ends"]:
        end()
    else:
        continue
    draw()
