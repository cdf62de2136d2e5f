#!/usr/bin/env python3
"""A stand-in for Claude Code that can be typed to: it draws the composer and the permission dialog that the real one draws, keeps its
registry entry and writes its transcript. What a prompt holds says what happens: `@@say TEXT` is the answer, `@@slow SECONDS` how long
that takes, `@@ask COMMAND` asks before it runs one, `@@error` fails (`@@error rate_limit` at a limit), and `@@trap` opens a dialog as soon
as it is pasted. It runs the hooks of its `--plugin-dir`. Where its home holds a file `works`, it does the tasks of a crew: it runs what an
assignment says, and writes each reply and its exit code into `worked`; a goal with `@@fails` fails, and one with `@@asks` asks first. Where it holds a file `anew`,
the next text is lost, and the transcript is written anew behind a line more."""
import datetime, json, os, re, select, signal, subprocess, sys, termios, threading, time, tty, unicodedata, uuid

words = sys.argv[1:]
session = next((words[at + 1] for at, word in enumerate(words[:-1]) if word in ("--session-id", "--resume")), str(uuid.uuid4()))
home = os.environ.get("CLAUDE_CONFIG_DIR", os.path.expanduser("~/.claude"))
cwd = os.getcwd()
start = open("/proc/self/stat").read().rsplit(")", 1)[1].split()[19]
registry = f"{home}/sessions/{os.getpid()}.json"
transcript = f"{home}/projects/{re.sub('[^A-Za-z0-9]', '-', cwd)}/{session}.jsonl"
state = {"held": "", "shown": "", "pastes": 0, "said": [], "dialog": None, "choice": 0, "turn": None, "queue": [], "last": None}


plugin = next((words[at + 1] for at, word in enumerate(words[:-1]) if word == "--plugin-dir"), None)
hooks = json.load(open(plugin + "/hooks/hooks.json"))["hooks"] if plugin else {}


def tell(event, **more):
    said = {"hook_event_name": event, "session_id": session, "transcript_path": transcript, "cwd": cwd, **more}
    for group in hooks.get(event, []):
        for hook in group["hooks"]:
            subprocess.run(["sh", "-c", hook["command"]], input=json.dumps(said).encode())


def leave(*_):
    tell("SessionEnd", reason="other")
    os._exit(143)


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def is_now(status, waits=None):
    entry = {"pid": os.getpid(), "sessionId": session, "cwd": cwd, "procStart": start, "kind": "interactive", "status": status}
    if waits:
        entry["waitingFor"] = waits
    os.makedirs(os.path.dirname(registry), exist_ok=True)
    with open(registry + ".new", "w") as file:
        json.dump(entry, file)
    os.rename(registry + ".new", registry)


def write(kind, **fields):
    os.makedirs(os.path.dirname(transcript), exist_ok=True)
    line = {"parentUuid": state["last"], "isSidechain": False, "type": kind, "uuid": str(uuid.uuid4()), "timestamp": now(),
            "cwd": cwd, "sessionId": session, **fields}
    state["last"] = line["uuid"]
    with open(transcript, "a") as file:
        file.write(json.dumps(line) + "\n")


def wrapped(text, columns):
    parts, width = [""], 0
    for letter in text:
        wide = 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        if width + wide > columns:
            parts, width = parts + [""], 0
        parts[-1] += letter
        width += wide
    return parts


def draw():
    columns, rows = os.get_terminal_size()
    rule = "─" * columns
    lines, at = state["said"][-8:], ""
    if state["dialog"]:
        choices = ["Yes", "Yes, and don't ask again", "No"]
        marks = [" ❯ " if at == state["choice"] else "   " for at in range(3)]
        lines = lines + [rule, " Bash command", "", "   " + state["dialog"], "", " Do you want to proceed?"]
        lines += [f"{mark}{at + 1}. {text}" for at, (mark, text) in enumerate(zip(marks, choices))] + ["", " Esc to cancel"]
    else:
        parts = [part for text in state["shown"].replace("\t", "    ").split("\n") for part in wrapped(text, columns - 4)]
        parts[-1] += "\x1b[7m \x1b[0m"
        at = f"\x1b[{len(lines) + 1 + len(parts)};3H"
        lines = lines + [rule, "❯\xa0" + parts[0]] + ["  " + part for part in parts[1:]] + [rule, "  ⏸ manual mode on"]
    sys.stdout.write("\x1b[2J\x1b[H" + "\r\n".join(lines[:rows - 1]) + at)
    sys.stdout.flush()


def put(text, is_paste):
    state["held"] += text
    if is_paste and (text.count("\n") > 2 or len(text) > 800):
        state["pastes"] += 1
        count = f" +{text.count(chr(10))} lines" if "\n" in text else ""
        text = f"[Pasted text #{state['pastes']}{count}]"
    state["shown"] += text
    if is_paste and "@@trap" in state["held"]:
        state["dialog"], state["choice"] = "touch trapped", 0
        is_now("waiting", "permission prompt")


def replies(verbs):
    """Replies to the manager, one after the other, beside what it draws. One that is killed or cannot look is tried again."""
    task, lease, command = state["job"]
    for verb in verbs:
        for _ in range(20):
            ran = subprocess.run(command.replace("ACCEPT|STATUS|ASK|RESULT|FAIL 'NOTE'", f"{verb} 'of {task}'"), shell=True,
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            with open(os.path.expanduser("~/worked"), "a") as file:
                file.write(f"{task} {lease} {verb} {ran.returncode}\n")
            if ran.returncode in (0, 3) and b"cannot be told" not in ran.stderr:
                break
            time.sleep(0.5)


def work(text):
    if not os.path.exists(os.path.expanduser("~/works")):
        return
    given = re.match(r"\[mgr type:TASK_ASSIGN task:(\S+) .*lease_token:(\S+)\]", text)
    if given:
        command = text.split("Reply with: ", 1)[1].split("\n")[0]
        state["job"] = (given[1], given[2], command)
        verbs = ["ACCEPT", "ASK"] if "@@asks" in text else ["ACCEPT", "FAIL" if "@@fails" in text else "RESULT"]
    elif state.get("job") and text.startswith(f"[{state['job'][0]}] "):
        verbs = ["RESULT"]
    else:
        return
    state["work"] = threading.Thread(target=replies, args=(verbs,), daemon=True)
    state["work"].start()


def is_lost():
    if not os.path.exists(os.path.expanduser("~/anew")):
        return False
    os.remove(os.path.expanduser("~/anew"))
    old = open(transcript).read()
    with open(transcript + ".new", "w") as file:
        file.write(json.dumps({"type": "padding", "text": "x" * len(old)}) + "\n" + old)
    os.rename(transcript + ".new", transcript)
    return True


def begin(text):
    state["said"] += ["❯ " + text.split("\n")[0][:70]]
    tell("UserPromptSubmit", prompt=text)
    write("user", message={"role": "user", "content": text}, origin={"kind": "human"})
    tells = dict(re.findall(r"@@(say|slow|ask|error)\b[ \t]*([^\n]*)", text))
    state["turn"] = {"tell": tells, "ends": time.time() + float(tells.get("slow") or 0.05)}
    is_now("busy")
    work(text)
    if "ask" in tells:
        state["dialog"], state["choice"] = tells["ask"], 0
        is_now("waiting", "permission prompt")


def end(is_interrupted=False):
    tell_of = state["turn"]["tell"] if state["turn"] else {}
    state["turn"], state["dialog"] = None, None
    if is_interrupted:
        write("user", message={"role": "user", "content": [{"type": "text", "text": "[Request interrupted by user]"}]})
    elif "error" in tell_of:
        kind = {"error": tell_of["error"]} if tell_of["error"] else {}
        write("assistant", isApiErrorMessage=True, message={"role": "assistant", "content": [{"type": "text", "text": "API Error: 400"}],
                                                             "stop_reason": "stop_sequence"}, **kind)
    else:
        said = tell_of.get("say") or "done"
        state["said"] += ["● " + said]
        write("assistant", message={"role": "assistant", "content": [{"type": "text", "text": said}], "stop_reason": "end_turn"})
        write("system", subtype="turn_duration", durationMs=50)
    if not is_interrupted and "error" not in tell_of:
        tell("Stop")
    is_now("idle")
    if state["queue"]:
        write("queue-operation", operation="dequeue")
        begin(state["queue"].pop(0))


def answer(number):
    command = state["dialog"]
    state["dialog"] = None
    if number == 2:
        end(is_interrupted=True)
        return
    subprocess.run(["sh", "-c", command])
    if state["turn"]:
        is_now("busy")
        state["turn"]["ends"] = time.time() + 0.05
    else:
        is_now("idle")


def enter():
    if state["dialog"]:
        answer(state["choice"])
    elif state["held"].strip():
        text = state["held"]
        state["held"] = state["shown"] = ""
        if is_lost():
            return
        if state["turn"]:
            write("queue-operation", operation="enqueue", content=text)
            state["queue"].append(text)
        else:
            begin(text)


def escape():
    if state["dialog"]:
        answer(2)
    elif state["turn"]:
        end(is_interrupted=True)


def take(buffer):
    """Takes the keys from the front of what was read, and gives what is not whole yet."""
    while buffer:
        if buffer.startswith(b"\x1b[200~"):
            text, found, rest = buffer[6:].partition(b"\x1b[201~")
            if not found:
                return buffer
            if not state["dialog"]:
                put(text.decode().replace("\r", "\n"), True)
            buffer = rest
        elif buffer.startswith((b"\x1b[A", b"\x1b[B")):
            if state["dialog"]:
                state["choice"] = (state["choice"] + (1 if buffer[2:3] == b"B" else -1)) % 3
            buffer = buffer[3:]
        elif buffer.startswith(b"\x1b["):
            return buffer if len(buffer) < 6 else buffer[1:]
        elif buffer == b"\x1b" or buffer.startswith(b"\x1b"):
            escape()
            buffer = buffer[1:]
        elif buffer.startswith(b"\r"):
            enter()
            buffer = buffer[1:]
        elif buffer.startswith(b"\x15"):
            state["held"] = state["shown"] = ""
            buffer = buffer[1:]
        else:
            try:
                text = buffer.decode()
            except UnicodeDecodeError:
                return buffer
            plain = re.match("[^\x1b\r\x15]*", text).group()
            if not state["dialog"]:
                put(plain, False)
            buffer = buffer[len(plain.encode()):]
    return b""


tty.setraw(0, termios.TCSANOW)
sys.stdout.write("\x1b[?2004h")
signal.signal(signal.SIGTERM, leave)
tell("SessionStart", source="startup")
is_now("idle")
draw()
rest = b""
while True:
    ready, _, _ = select.select([0], [], [], 0.03)
    if ready:
        read = os.read(0, 65536)
        if not read:
            break
        rest = take(rest + read)
    elif state["turn"] and not state["dialog"] and time.time() > state["turn"]["ends"] and not (state.get("work") and state["work"].is_alive()):
        end()
    else:
        continue
    draw()
