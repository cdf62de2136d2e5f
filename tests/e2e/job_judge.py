"""Judges a job by everything that was written of it: `done`, its attempts, what its agent wrote on its output, the registry, the agent's
transcripts, what its model was asked, who was told, what was killed. Pure: evidence in, objections out.

Evidence of a job is a dictionary; job_kills.py collects it:
  number agent kind prompt answer attempts deadline   what was asked for; kind: say, error (the model fails), hang (it never answers)
  id done notes output session_id                     its files; notes are the lines of `attempts`
  record mirror events log pane    what the registry, its file for others and `job logs --raw` say; its pane, if it is still there
  transcripts      of each conversation that names the job, or that the job names: what the user and what the agent said, in order
  requests         what its model was asked: time, whether it goes on with an earlier prompt, whether the prompt is followed by nothing
  kills            time and kind of each kill that may have hit it
  notified         what --notify was given, one for each time
  seen             in how many samples its agent was alive
"""
import copy
import json
from datetime import datetime, timezone

CONTINUE = "Continue the previous task"
# What the registry calls an outcome, and the event that tells of it.
STATUS = {"completed": "completed", "failed": "error"}
# What is not seen at the moment it happens: the clocks are one, the writers are not.
NEAR = 3.0


def seconds(stamp):
    """A time as it stands in JSON, in seconds."""
    whole, _, part = stamp.rstrip("Z").partition(".")
    moment = datetime.strptime(whole, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
    return moment.timestamp() + float("0." + (part or "0"))


# ---------------------------------------------------------------- what an agent wrote on its output
def stream(agent, text):
    """Which conversation it named, whether it said or did something, its last word, and how it says its turn ended."""
    found = {"id": None, "heard": False, "word": None, "end": None}
    for line in text.splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if not isinstance(record, dict):
            continue
        (claude if agent == "claude" else codex)(record, found)
    return found


def claude(record, found):
    kind = record.get("type")
    if kind == "system" and record.get("subtype") == "init":
        found["id"] = record["session_id"]
    elif kind == "assistant":
        texts = [block["text"] for block in record["message"]["content"] if block.get("type") == "text"]
        found.update(heard=True, end=None, word="\n".join(texts) if texts else found["word"])
    elif kind == "result":
        found["end"] = "failed" if record.get("is_error", True) else "done"


def codex(record, found):
    kind, item = record.get("type"), record.get("item") or {}
    if kind == "thread.started":
        found["id"] = record["thread_id"]
    elif kind in ("item.started", "item.completed") and item.get("type") not in ("error", "reasoning"):
        said = kind == "item.completed" and item.get("type") == "agent_message"
        found.update(heard=True, end=None, word=item["text"] if said else found["word"])
    elif kind in ("turn.completed", "turn.failed"):
        found["end"] = "done" if kind == "turn.completed" else "failed"


# ---------------------------------------------------------------- one job
def judge(job):
    """Everything that is wrong."""
    wrong = []

    def expect(holds, what):
        if not holds:
            wrong.append(what)

    done = job["done"]
    if not done:
        return ["it has no end"]
    outcome, code, reason = done["outcome"], done["code"], done["reason"]
    expect(done["job"] == job["id"], "`done` names another job")
    if outcome not in STATUS:
        return [f"it ended {outcome}, and nobody stopped it"]
    expect(bool(reason.strip()), "it ended for no reason")
    begun = [note["begun"] for note in job["notes"] if "begun" in note]
    ended = [note["ended"] for note in job["notes"] if "ended" in note]
    segments = segments_of(job, begun)
    attempts_agree(job, begun, ended, expect)
    registry_agrees(job, expect)
    if outcome == "completed":
        completed(job, begun, ended, segments, expect)
    else:
        failed(job, begun, ended, expect)
    for end, segment in zip(ended, segments):
        if segment["end"] == "done" and end["code"] == 0:
            expect(outcome == "completed", f"attempt {end['number']} was completed and the job is {outcome}")
    asked_once(job, begun, segments, expect)
    explained(job, begun, ended, expect)
    expect(job["seen"] > 0, "its agent was never seen alive")
    expect(len(job["notified"]) <= 1, f"--notify was run {len(job['notified'])} times")
    for told in job["notified"]:
        expect(told == done, "--notify was told something else than `done` says")
    near_end = [kill for kill in job["kills"] if kill["t"] >= seconds(done["ended_at"]) - NEAR]
    expect(job["notified"] or near_end, "--notify was not run")
    return wrong


def segments_of(job, begun):
    """The output of each attempt."""
    output = job["output"].encode()
    bounds = [note["from"] for note in begun] + [len(output)]
    texts = [output[start:end].decode(errors="replace") for start, end in zip(bounds, bounds[1:])]
    return [stream(job["agent"], text) for text in texts]


def attempts_agree(job, begun, ended, expect):
    done, numbers = job["done"], [note["number"] for note in begun]
    expect(numbers == list(range(1, len(begun) + 1)) and numbers, f"its attempts are {numbers}")
    expect([note["number"] for note in ended] == numbers, "an attempt has no end, or more than one")
    expect(done["attempts"] == len(begun), f"`done` says {done['attempts']} attempts, {len(begun)} were begun")
    endings = [note["ending"] for note in ended]
    expect(all(ending != "completed" for ending in endings[:-1]), "something follows an attempt that was completed")
    expect((endings[-1:] == ["completed"]) == (done["outcome"] == "completed"), f"{done['outcome']} after {endings}")
    expect(job["session_id"] == done["session_id"], "`session-id` and `done` name two conversations")
    for first, last in zip(begun, ended):
        if first["resumes"] and last["id"]:
            expect(first["resumes"] == last["id"], f"attempt {first['number']} went on in another conversation")


def registry_agrees(job, expect):
    done, record, events = job["done"], job["record"], job["events"]
    wanted = STATUS[done["outcome"]]
    for name in ("record", "mirror"):
        expect(job[name]["status"] == wanted, f"the {name} says {job[name]['status']}, `done` {done['outcome']}")
    kinds = [event["event"] for event in events]
    ends = [event for event in events if event["event"] in ("completed", "error")]
    expect([event["event"] for event in ends] == [wanted], f"the registry was told of {kinds}")
    expect(kinds[-1:] == [wanted], f"something follows the end: {kinds}")
    expect(kinds.count("started") <= 1, "it was started twice")
    expect(len(kinds) <= done["attempts"] + 1, f"more was told than happened: {kinds}")
    sequence = [event["seq"] for event in events]
    expect(sequence == sorted(set(sequence)), f"events are not in order: {sequence}")
    for event in ends:
        expect(event["detail"].split("\n")[0] == done["reason"].split("\n")[0][:200], "the registry has another reason")
        data = event["data"]
        expect((data["session_id"], data["attempts"]) == (done["session_id"], done["attempts"]), "the registry has other facts")
    expect(job["log"] == job["output"], "`job logs --raw` is not what the agent wrote")
    if job["pane"] is not None:
        marks = [mark for mark in ("__TASK_DONE__", "__TASK_FAILED__") if mark in job["pane"]]
        wanted = "__TASK_DONE__" if done["outcome"] == "completed" else "__TASK_FAILED__"
        expect(marks in ([], [wanted]), f"its pane says {marks}")


def completed(job, begun, ended, segments, expect):
    done = job["done"]
    expect(job["kind"] == "say", "its model never answered")
    expect(done["code"] in (0, None), f"it was completed with exit code {done['code']}")
    if done["code"] is None:
        expect(hits(job, begun[-1]["at"], ended[-1]["at"]), "nobody saw it end, and nothing was killed")
    expect(done["last_message"] == job["answer"], f"it said {done['last_message']!r}")
    last = segments[-1]
    expect((last["end"], last["word"]) == ("done", job["answer"]), f"its output ends with {last}")
    talk = job["transcripts"].get(done["session_id"] or "")
    expect(talk is not None, "its conversation has no transcript")
    if talk is not None:
        expect(talk["agent"][-1:] == [job["answer"]], f"its transcript ends with {talk['agent'][-1:]}")
        expect(prompts(job, talk) == 1, f"its transcript has the prompt {prompts(job, talk)} times")
        resumed = sum(1 for note in begun if note["resumes"] == done["session_id"])
        expect(talk["user"].count(CONTINUE) <= resumed, "it was told to go on more often than it was resumed")


def failed(job, begun, ended, expect):
    done, reason = job["done"], job["done"]["reason"]
    tries = sum(1 for note in ended if note["ending"] in ("failed", "crashed"))
    if reason.startswith("its time is over"):
        expect(seconds(done["ended_at"]) >= seconds(done["submitted_at"]) + job["deadline"], "its time was not over")
    elif reason.startswith("it failed ") and "times in a row before it did anything" in reason:
        expect(job["kind"] == "error", "an agent that was only killed was given up")
    elif reason.startswith("it failed "):
        expect(reason.startswith(f"it failed {tries} time"), f"{tries} failures, and it says: {reason}")
        expect(tries >= job["attempts"], f"it was given up after {tries} of {job['attempts']} failures")
    else:
        expect(False, f"no reason that is known: {reason}")


def prompts(job, talk):
    return sum(1 for text in talk["user"] if job["prompt"] in text)


def asked_once(job, begun, segments, expect):
    """The prompt is said in one conversation, unless the agent never began; what follows says to go on."""
    fresh = [at for at, note in enumerate(begun) if not note["resumes"]]
    for at in fresh[1:]:
        expect(not any(segment["heard"] for segment in segments[:at]), f"attempt {at + 1} began again what had been begun")
    # One that was never named may have taken the prompt unseen: it is said again then.
    unnamed = sum(1 for at in fresh[1:] if segments[at - 1]["id"] is None and not begun[at - 1]["resumes"])
    talks = [id for id, talk in job["transcripts"].items() if prompts(job, talk)]
    expect(len(talks) <= 1 + unnamed, f"the prompt was said in {talks}")
    for id, talk in job["transcripts"].items():
        expect(prompts(job, talk) <= 1, f"the prompt was said {prompts(job, talk)} times in {id}")
        told = talk["user"].count(CONTINUE)
        expect(told <= sum(1 for note in begun if note["resumes"] == id), f"{id} was told to go on {told} times")
        others = [text for text in talk["user"] if CONTINUE in text and text != CONTINUE]
        expect(not others, f"{id} was told {others}")
    over = seconds(job["done"]["ended_at"])
    late = [request for request in job["requests"] if request["t"] > over]
    expect(not late, f"its model was asked {len(late)} times after its end")
    first = sum(1 for request in job["requests"] if request["first"])
    if job["kind"] != "error":
        expect(first <= len(fresh), f"its model was asked {first} times for what was said {len(fresh)} times")
    if job["kind"] == "say" and job["done"]["outcome"] == "completed":
        expect(job["requests"], "its model was never asked")


def hits(job, since, until):
    return [kill for kill in job["kills"] if seconds(since) - NEAR <= kill["t"] <= seconds(until) + NEAR]


def explained(job, begun, ended, expect):
    """No attempt follows another that nothing was done to."""
    for first, last in list(zip(begun, ended))[:-1]:
        is_own = job["kind"] == "error" and last["ending"] in ("failed", "crashed")
        is_hit = hits(job, first["at"], last["at"])
        expect(is_own or is_hit, f"attempt {first['number']} ended as {last['ending']} and nothing was killed: {last['reason']}")


# ---------------------------------------------------------------- whether the judge would notice
def forged(job):
    """The same job with one thing wrong, each with a name. Only what this job has can be forged."""
    def with_(**changes):
        return {**copy.deepcopy(job), **changes}

    def done(**changes):
        return with_(done={**job["done"], **changes})

    is_completed = job["done"]["outcome"] == "completed"
    yield "no end", with_(done=None)
    yield "the other outcome", done(outcome="failed" if is_completed else "completed")
    yield "no reason", done(reason="")
    yield "an attempt more", done(attempts=job["done"]["attempts"] + 1)
    yield "another conversation", done(session_id="another")
    yield "another outcome", done(outcome="stopped")
    for name in ("record", "mirror"):
        yield f"another status of the {name}", with_(**{name: {**job[name], "status": "error" if is_completed else "completed"}})
    yield "an end told twice", with_(events=job["events"] + [{**job["events"][-1], "seq": job["events"][-1]["seq"] + 1}])
    yield "an end never told", with_(events=job["events"][:-1])
    yield "asked after its end", with_(requests=job["requests"] + [{"t": seconds(job["done"]["ended_at"]) + 1, "first": False}])
    yield "told twice", with_(notified=[job["done"], job["done"]])
    yield "never seen", with_(seen=0)
    yield "another log", with_(log=job["log"] + "more\n")
    again = copy.deepcopy(job["transcripts"])
    for talk in again.values():
        talk["user"].append(job["prompt"])
    if again:
        yield "the prompt said again", with_(transcripts=again)
        yield "the prompt said elsewhere", with_(transcripts={**job["transcripts"], **{f"{id}-2": talk for id, talk in again.items()},
                                                              "third": {"user": [job["prompt"]], "agent": []}})
        told = copy.deepcopy(job["transcripts"])
        for talk in told.values():
            talk["user"] += [CONTINUE] * (job["done"]["attempts"] + 1)
        yield "told to go on once too often", with_(transcripts=told)
    if is_completed:
        own = job["done"]["session_id"]
        yield "another last word", done(last_message="something else")
        yield "no transcript", with_(transcripts={})
        mute = copy.deepcopy(job["transcripts"])
        mute[own]["agent"] = mute[own]["agent"][:-1]
        yield "a transcript without the answer", with_(transcripts=mute)
        yield "asked first once too often", with_(requests=job["requests"] + [{"t": 0, "first": True}] * (job["done"]["attempts"] + 1))
    if job["done"]["attempts"] > 1 and job["kind"] != "error":
        yield "nothing was killed", with_(kills=[])
