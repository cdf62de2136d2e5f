"""Runs jobs of real agents, several at once, and kills what is at them at random moments. job-kills.sh starts it in a world of its own.
What a job has come to is for job_judge.py to say."""
import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter

import job_judge
from job_judge import CONTINUE
from job_world import HOME, Sampler, environ, json_of, kill, lines_of, sampler_sees_doubles, stat, text_of, transcripts

STATE = HOME / ".local/state/headcount"
LAB = HOME / "lab/jobs"
# So long a job may take on a machine that has time.
PATIENCE = 240
KINDS = ("agent", "program", "group", "launcher", "pane", "server", "watch", "submitter", "resumer")


def load():
    return min(8, 1 + int(os.getloadavg()[0]) // (os.cpu_count() or 1))


# ---------------------------------------------------------------- one job after another
class Lane:
    """A place for one job at a time: asks for it, waits for its end, has it judged."""

    def __init__(self, soak, place):
        self.soak, self.place, self.job = soak, place, None

    def step(self):
        if self.job is None:
            self.job = self.soak.next_job()
            if self.job:
                self.submit()
        elif self.job["submitting"]:
            if self.job["submitting"].poll() is not None:
                self.submitted()
        elif time.time() - self.job["since"] > PATIENCE * load():
            self.soak.give_up(self.job, "it did not end")
        elif self.job["over_at"] is None:
            if (self.job["files"] / "done").exists():
                # It is killed at for a moment longer: not everybody was told yet.
                self.job["over_at"] = time.time() + self.soak.dice.random() * 1.5
        elif time.time() > self.job["over_at"] and (self.job["files"] / "told.end").exists():
            self.soak.end(self.job)
            self.job = None

    def submit(self):
        job = self.job
        more = ["--deadline", f"{job['deadline']}s", "--attempts", str(job["attempts"])]
        more += ["--notify", f"cat >>'{LAB}/told.{job['number']}'; echo >>'{LAB}/told.{job['number']}'"]
        words = ["job", "run", "--agent", job["agent"], "--headless", "--permissions", job["mode"], "--prompt", job["prompt"]]
        job["tries"] += 1
        job["submitting"] = self.soak.headcount(words + more, cwd=LAB)
        job["since"] = time.time()
        if self.soak.dice.random() < 0.25:
            job["doomed_at"] = time.time() + self.soak.dice.random() * 0.3

    def submitted(self):
        """It may have been killed, or refused because the server had just ended: then it is there whole, or not at all."""
        job = self.job
        out, err = job["submitting"].communicate()
        code, job["submitting"], job["doomed_at"] = job["submitting"].returncode, None, None
        found = [(path, record) for path, record in records() if record.get("prompt") == job["prompt"]]
        there = [record["job_id"] for _, record in found if (STATE / "jobs" / record["job_id"] / "spec.json").exists()]
        if len(there) > 1:
            self.soak.give_up(job, f"it was begun twice: {there}")
        if code == 0 and there != [out.splitlines()[0]]:
            self.soak.give_up(job, f"it was promised as {out!r} and is {there}")
        if there:
            job["id"], job["files"] = there[0], STATE / "jobs" / there[0]
            return
        job["unmade"] += [record["job_id"] for _, record in found]
        if code not in (-signal.SIGKILL, 1, 3) or job["tries"] > 50:
            self.soak.give_up(job, f"it cannot be begun: {code} {err}")
        self.submit()


def records():
    """The records of the registry, with their paths."""
    for path in (STATE / "jobs").glob("*.json"):
        record = json_of(path)
        if record and "job_id" in record:
            yield path, record


class Soak:
    def __init__(self, args):
        self.args, self.dice = args, random.Random(args.seed)
        self.sampler, self.kills, self.killed, self.in_turn = Sampler(), [], Counter(), 0
        self.made, self.judged, self.wrong, self.tally, self.resumers = 0, [], [], Counter(), []
        self.watch, self.watch_log, self.next_kill = None, open(HOME.parent / "watch.log", "ab"), 0.0
        self.lanes = [Lane(self, place) for place in range(args.lanes)]

    def headcount(self, words, **how):
        pipe = subprocess.PIPE
        return subprocess.Popen([self.args.headcount, *words], stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True, **how)

    def ask(self, *words):
        """What headcount answers; a server that has just ended is not there to be asked."""
        asked = self.headcount(list(words))
        out, err = asked.communicate(timeout=120)
        if asked.returncode != 0:
            print(f"note: {' '.join(words)}: {asked.returncode} {err.strip()}", flush=True)
        return out

    def tmux(self, *words):
        ran = subprocess.run(["tmux", "-f", "/dev/null", *words], capture_output=True, text=True, timeout=60, check=False)
        return ran.stdout if ran.returncode == 0 else None

    # -- what is asked for
    def next_job(self):
        if self.made >= self.args.jobs:
            return None
        number, self.made = self.made, self.made + 1
        agents = self.args.agents.split()
        turn = number // len(agents) % 10
        kind = {0: "error", 1: "hang"}.get(turn, "say")
        answer = f"answer-{self.args.seed}-{number} is what was asked for and nothing else"
        slow = round(0.5 + 3 * self.dice.random(), 1)
        lines = [f"job {number} of {self.args.seed}: \"quoted\", it's $(touch OOPS) `touch OOPS`; \\ # {{}} é", "@@kept"]
        mode = ("edit", "bypass")[turn % 2]
        if kind == "say":
            lines += [f"@@tool echo {number} >>ledger"] if mode == "bypass" else []
            lines += [f"@@slow {slow}", f"@@say {answer}"]
        else:
            lines += ["@@error 400"] if kind == "error" else ["@@hang"]
        few = turn == 2
        return {
            "number": number, "agent": agents[number % len(agents)], "kind": kind, "mode": mode, "answer": answer,
            "prompt": "\n".join(lines), "attempts": 3 if kind == "error" else 2 if few else 1000,
            "deadline": 12 if kind == "hang" else 3600, "id": None, "tries": 0, "unmade": [], "submitting": None, "doomed_at": None,
            "over_at": None, "since": time.time(), "began": time.time(),
            # Later on it is left alone, or it would never end.
            "left": 4 if few else self.dice.choice((0, 1, 1, 2, 2, 3, 4, 6)),
        }

    # -- kills
    def note(self, kind, job=None):
        self.killed[kind] += 1
        self.kills.append({"t": time.time(), "kind": kind, "job": job and job["id"]})

    def is_in_turn(self, job):
        """Whether its model has been asked and its attempt has not ended."""
        notes = list(lines_of(job["files"] / "attempts"))
        if not notes or "begun" not in notes[-1]:
            return False
        since = job_judge.seconds(notes[-1]["begun"]["at"])
        return any(request["t"] > since for request in self.requests(job))

    def strike(self):
        """Kills something, if it is there. Whatever is killed at, the next kill is at a random moment."""
        if time.time() < self.next_kill:
            return
        self.next_kill = time.time() + self.dice.expovariate(1 / self.args.pause)
        kind = self.dice.choices(KINDS, weights=(6, 2, 3, 5, 5, 1, 2, 0, 2))[0]
        jobs = [lane.job for lane in self.lanes if lane.job and lane.job["id"]]
        if kind == "watch":
            self.watch.kill()
            self.watch.wait()
            self.note(kind)
        elif kind == "resumer":
            # It goes on with what is lost while the watch does the same.
            self.resumers.append((self.headcount(["job", "resume", "--all"]), time.time() + self.dice.random() * 0.6))
        elif kind == "server":
            if any(job["left"] > 0 for job in jobs):
                turns = sum(map(self.is_in_turn, jobs))
                pid = self.tmux("display-message", "-p", "#{pid}")
                if pid and kill(int(pid)):
                    self.note(kind)
                    self.in_turn += turns
                    for job in jobs:
                        job["left"] -= 1
        else:
            jobs = [job for job in jobs if job["left"] > 0]
            if jobs:
                job = self.dice.choice(jobs)
                is_in_turn = self.is_in_turn(job)
                if self.strike_at(kind, job):
                    self.note(kind, job)
                    self.in_turn += is_in_turn
                    job["left"] -= 1

    def strike_at(self, kind, job):
        if kind == "launcher":
            return kill((json_of(job["files"] / "lock") or {}).get("pid"))
        if kind == "pane":
            return self.tmux("kill-session", "-t", f"={job['agent']}-{job['id']}") is not None
        begun = [note["begun"]["number"] for note in lines_of(job["files"] / "attempts") if "begun" in note]
        leader = text_of(job["files"] / f"agent.{len(begun)}").strip()
        # Its number may be somebody else's by now.
        if not leader or environ(leader).get("HEADCOUNT_JOB") != job["id"]:
            return False
        group = [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and (stat(pid) or (0,))[0] == int(leader)]
        below = [pid for pid in group if pid != int(leader)]
        victims = {"agent": [int(leader)], "program": below, "group": group}[kind]
        return any([kill(pid) for pid in victims])

    def tend(self):
        """The watch is there but for a moment, and whoever is to be killed is."""
        if self.watch is None or self.watch.poll() is not None:
            if self.watch is not None and self.watch.returncode != -signal.SIGKILL:
                self.wrong.append(f"the watch ended by itself with {self.watch.returncode}")
            words = [self.args.headcount, "watch", "--enforce", "--interval", "1s"]
            self.watch = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=self.watch_log, stderr=self.watch_log)
        for lane in self.lanes:
            job = lane.job
            if job and job["doomed_at"] and time.time() > job["doomed_at"]:
                job["doomed_at"] = None
                if job["submitting"].poll() is None and kill(job["submitting"].pid):
                    self.note("submitter")
        for one, at in list(self.resumers):
            if time.time() > at:
                if kill(one.pid):
                    self.note("resumer")
                one.communicate()
                self.resumers.remove((one, at))

    # -- ends
    def requests(self, job):
        first = job["prompt"].split("\n", 1)[0]
        for request in lines_of(self.args.requests):
            reply = request.get("reply") or {}
            if request.get("prompt", "").startswith(first) and reply.get("text") != "Fake title":
                is_first = not request["goes_on"] and (reply["tool"] is not None or job["mode"] == "edit" or job["kind"] != "say")
                yield {"t": request["t"], "first": is_first}

    def evidence(self, job):
        files, id = job["files"], job["id"]
        shown = json.loads(self.ask("job", "show", id, "--json"))
        notes = list(lines_of(files / "attempts"))
        begun = [note["begun"] for note in notes if "begun" in note]
        ids = {text_of(files / "session-id").strip()} | {note["resumes"] for note in begun} | {note["assigned"] for note in begun}
        first = job["prompt"].split("\n", 1)[0]
        talks = {id: talk for id, talk in transcripts(job["agent"]) if id in ids or any(first in text for text in talk["user"])}
        pane = self.tmux("capture-pane", "-p", "-J", "-t", f"={job['agent']}-{id}:")
        kept = {key: job[key] for key in ("number", "agent", "kind", "prompt", "answer", "attempts", "deadline", "id")}
        return {
            **kept, "done": json_of(files / "done"), "notes": notes, "output": text_of(files / "output.log"),
            "session_id": text_of(files / "session-id").strip() or None, "record": shown["job"],
            "mirror": json_of(files / "status.json"),
            "events": list(map(json.loads, self.ask("job", "events", id, "--json").splitlines())),
            "log": self.ask("job", "logs", id, "--raw"), "pane": pane, "transcripts": talks, "requests": list(self.requests(job)),
            "kills": [each for each in self.kills if each["job"] == id or each["kind"] == "server"],
            "notified": list(lines_of(LAB / f"told.{job['number']}")), "seen": self.sampler.seen[id],
        }

    def end(self, job):
        evidence = self.evidence(job)
        for what in job_judge.judge(evidence):
            self.wrong.append(f"job {job['number']} ({job['agent']}, {job['id']}): {what}")
        done = evidence["done"]
        self.tally.update([done["outcome"], f"{job['agent']} {done['outcome']}"])
        self.tally["attempts"] += done["attempts"]
        self.tally["resumed"] += sum(1 for note in evidence["notes"] if note.get("begun", {}).get("resumes"))
        self.tally["unnamed"] += sum(1 for note in evidence["notes"] if "begun" in note and not note["begun"]["resumes"]) - 1
        self.tally["told"] += len(evidence["notified"])
        taken = sum(1 for talk in evidence["transcripts"].values() if job_judge.prompts(evidence, talk))
        self.tally["again"] += max(0, taken - 1)
        self.judged.append({**evidence, "unmade": job["unmade"]})
        self.ask("job", "stop", job["id"])
        if self.wrong:
            self.fail()
        if len(self.judged) % 10 == 0:
            print(f"{len(self.judged)} jobs, {sum(self.killed.values())} kills, {time.time() - self.began:.0f} s", flush=True)

    def give_up(self, job, why):
        self.wrong.append(f"job {job['number']} ({job['agent']}, {job['id']}): {why}")
        self.fail()

    def fail(self):
        for what in self.wrong:
            print(f"FAILED: {what}")
        ids = {match for what in self.wrong for match in re.findall(r", ([a-z0-9]{8})\)", what)}
        for id in sorted(ids):
            print(f"--- {id}\n{text_of(STATE / 'jobs' / id / 'attempts')}{text_of(STATE / 'jobs' / id / 'done')}")
            print(f"kills: {[each for each in self.kills if each['job'] == id or each['kind'] == 'server']}")
        (HOME.parent / "judged.json").write_text(json.dumps(self.judged))
        sys.stdout.flush()
        sys.exit(1)

    # -- all of it
    def run(self):
        self.began = time.time()
        if not sampler_sees_doubles():
            self.wrong.append("two at one job would not be noticed")
            self.fail()
        self.sampler.start()
        while True:
            self.tend()
            for lane in self.lanes:
                lane.step()
            if len(self.judged) == self.args.jobs:
                break
            self.strike()
            time.sleep(0.02)
        self.at_the_end()

    def at_the_end(self):
        expect = lambda holds, what: None if holds else self.wrong.append(what)
        # Whoever would ask again has the time to.
        time.sleep(5)
        self.sampler.is_over = True
        self.sampler.join()
        for what in self.sampler.doubles:
            self.wrong.append(f"two at once: {what}")
        ends = {job["id"]: job_judge.seconds(job["done"]["ended_at"]) for job in self.judged}
        expect(len(ends) == self.args.jobs, f"{self.args.jobs} jobs have {len(ends)} ids")
        for job in self.judged:
            late = [request for request in self.requests({**job, "mode": ""}) if request["t"] > ends[job["id"]]]
            expect(not late, f"job {job['number']}: its model was asked after its end")
            expect(json_of(STATE / "jobs" / job["id"] / "done") == job["done"], f"job {job['number']}: its end was changed")
        unmade = {id for job in self.judged for id in job["unmade"]}
        for path, record in records():
            if record["job_id"] not in ends:
                expect(record["status"] == "cancelled", f"nobody does job {record['job_id']}, and it is {record['status']}")
                expect(record["job_id"] in unmade, f"job {record['job_id']} is nobody's")
        # No conversation was told to go on that is not a job's.
        told = sum(talk["user"].count(CONTINUE) for agent in self.args.agents.split() for _, talk in transcripts(agent))
        own = sum(talk["user"].count(CONTINUE) for job in self.judged for talk in job["transcripts"].values())
        expect(told == own, f"{told} were told to go on, {own} of them in a job")
        for number, count in Counter(text_of(LAB / "ledger").split()).items():
            expect(count == 1, f"job {number} did its work {count} times")
        expect(not (LAB / "OOPS").exists(), "something was run from a prompt")
        self.watch.kill()
        self.watch.wait()
        self.ask("job", "prune", "--older-than", "0s")
        left = [path for path in (STATE / "jobs").glob("*/*")]
        expect(not left, f"left of jobs: {left}")
        expect(not self.tmux("list-sessions"), f"left in tmux: {self.tmux('list-sessions')}")
        self.forge(expect)
        self.nothing_vain(expect)
        tally = self.tally
        print(f"{self.args.jobs} jobs of {self.args.agents}, {time.time() - self.began:.0f} s: {tally['completed']} completed, "
              f"{tally['failed']} failed; {tally['attempts']} attempts, {tally['resumed']} of them resumed, {tally['unnamed']} begun again")
        print(f"{tally['told']} ends told by --notify, {len(unmade)} submissions taken back, {tally['again']} prompts said again to an "
              "agent that was killed before it had named its conversation")
        print(f"{sum(self.killed.values())} kills, {self.in_turn} of them in a turn: "
              + ", ".join(f"{kind} {self.killed[kind]}" for kind in KINDS))
        print(f"{self.sampler.samples} samples, never two in one conversation")
        reasons = Counter(re.sub(r"\d+", "N", job["done"]["reason"])[:60] for job in self.judged if job["done"]["outcome"] == "failed")
        print("failed: " + "; ".join(f"{count} × {reason}" for reason, count in reasons.most_common()))
        if self.wrong:
            self.fail()

    def forge(self, expect):
        """The judge notices what is wrong: in what every job left something is changed, and it objects."""
        noticed = Counter()
        for job in self.judged:
            for name, other in job_judge.forged(job):
                expect(job_judge.judge(other), f"the judge did not notice in job {job['number']}: {name}")
                noticed[name] += 1
        print(f"the judge noticed {sum(noticed.values())} of {sum(noticed.values())} forgeries of {len(noticed)} kinds")

    def nothing_vain(self, expect):
        """What was to be tried was tried."""
        expect(self.tally["completed"] and self.tally["failed"], f"every job ended alike: {self.tally}")
        expect(self.tally["resumed"], "nothing was gone on with")
        expect(self.in_turn, "nothing was killed in a turn")
        if self.args.jobs >= 100:
            # Claude Code is one process, unless its tools run.
            missed = [kind for kind in KINDS if not self.killed[kind]]
            expect(not missed, f"never killed: {missed}")
            expect(sum(self.killed.values()) >= self.args.jobs, f"only {sum(self.killed.values())} kills")
        for agent in self.args.agents.split():
            expect(self.tally[f"{agent} completed"], f"no job of {agent} was completed")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--headcount", required=True)
    parser.add_argument("--requests", required=True)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--agents", default="codex claude")
    parser.add_argument("--lanes", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pause", type=float, default=0.8, help="seconds between two kills, about")
    Soak(parser.parse_args()).run()


if __name__ == "__main__":
    main()
