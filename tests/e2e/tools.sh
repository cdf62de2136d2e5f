# shellcheck shell=bash
# Sourced by the scripts of agents: a real agent uses headcount's MCP server, as its own configuration of it starts that. Needs what
# common.sh, lead.sh and drive.sh define.

# printed AGENT: the configuration that headcount prints for an agent that may talk to one session
printed() { headcount mcp --manifest "$H/agent-sessions.yaml" --allow 'drive=tools-*' --print-config "$1"; }
# uses_tools AGENT CWD ENTRY TRANSCRIPT CLIENT: one session calls headcount's tools, another one is told something by them.
# CWD has the configuration; TRANSCRIPT is where conversations are, up to their ids; CLIENT is how the agent calls itself.
# FINDS is what its model has to say first where it is told of tools only once it asks.
uses_tools() {
  local agent=$1 cwd=$2 told=tools-told-$1 caller=tools-caller-$1 said arguments results
  mkdir -p "$cwd"
  printf '  - { name: %s, agent: %s, cwd: %s, mux: %s, desired: running, %s }\n' "$told" "$agent" "$cwd" "$MUX" "$3" \
    "$caller" "$agent" "$cwd" "$MUX" "$3" >>"$H/agent-sessions.yaml"
  headcount start "$told" "$caller"
  await 30 "$told takes a text" takes "$told"
  await 30 "$caller takes a text" takes "$caller"
  arguments=$(python3 -c 'import json, sys; print(json.dumps({"session": sys.argv[1], "text": "told by a tool\n@@say heard", "key": "by-mcp"}))' "$told")
  said=$(told_to ask "${SURE[@]}" "$caller" "use the tools${FINDS:+
$FINDS}
@@call mcp__headcount__list {\"sessions\":[\"$told\",\"$caller\"]}
@@call mcp__headcount__send $arguments
@@call mcp__headcount__send $arguments
@@call mcp__headcount__send $arguments
@@call mcp__headcount__send $arguments
@@call mcp__headcount__send {\"session\":\"$caller\",\"text\":\"to itself\"}
@@call mcp__headcount__wait {\"sessions\":[\"$told\"],\"for\":[\"idle\"]}
@@call mcp__headcount__read_turn {\"session\":\"$told\"}
@@say used the tools" --timeout 120s) || true
  check "$agent: it has used headcount's tools" "used the tools" "$said"
  results=$(tool_results "$4*.jsonl" 'use the tools')
  echo "$results" >"$WORLD/results"
  # Of four sends under one key a busy zellij may not take the first ones.
  check "$agent: what its tools said" "list: $told,$caller; send: delivered; send: duplicate; send: held, this command runs in that session; wait: met; read_turn: heard" \
    "$(sed -E 's/(; send: held, its (pane|zellij)[^;]*)+//; s/(; send: duplicate)+/; send: duplicate/' <<<"$results")"
  check "$agent: the other one was told once" 1 "$(prompts "$4$(field "$told" session_id).jsonl" 'told by a tool')"
  check "$agent: the history names it" "mcp: $5" "$(headcount history --json | python3 -c '
import json, sys
print(*{one["by"].rpartition(" ")[0] for one in json.load(sys.stdin)["operations"] if one["session"]["name"] == sys.argv[1] and one["action"] == "send"})' "$told")"
  headcount stop "$told" "$caller" --yes
}
# tool_results FILES TEXT: what the tools of headcount answered to the prompt with this text, one after another
tool_results() { python3 - "$@" <<'PY'
import glob, json, sys
files, text = sys.argv[1:]
names, said, told = {}, [], set()
def texts(content):
    return content if isinstance(content, str) else "\n".join(part.get("text", "") for part in content)
def parts(line):
    """The calls and the results of a line: (id, name or nothing, text)"""
    payload = line.get("payload") or {}
    if payload.get("type") == "function_call":
        yield payload["call_id"], payload["name"], ""
    elif payload.get("type") == "function_call_output":
        yield payload["call_id"], None, texts(payload["output"])
    content = (line.get("message") or {}).get("content")
    for part in content if isinstance(content, list) else []:
        if part.get("type") == "tool_use":
            yield part["id"], part["name"], ""
        elif part.get("type") == "tool_result":
            yield part["tool_use_id"], None, texts(part["content"])
def short(answer):
    # Of what was not done some show a line before the document, and some the document alone.
    begin = answer.find("{")
    if begin < 0:
        return answer
    doc, _ = json.JSONDecoder().raw_decode(answer[begin:])
    if "turns" in doc:
        return doc["turns"][-1]["text"]
    if doc["schema"].startswith("headcount/status"):
        return ",".join(row["session"]["name"] for row in doc["sessions"])
    if "code" in doc:
        return f"{doc['outcome']}, {doc['message'].split(';')[0]}"
    return doc.get("outcome") or doc["end"]
for name in glob.glob(files):
    lines = open(name).read()
    if text in lines:
        for line in lines.splitlines():
            for call, tool, answer in parts(json.loads(line)):
                if tool:
                    names[call] = tool.split("__")[-1]
                elif names[call] != "ToolSearch" and call not in told:
                    # Some results stand there twice.
                    told.add(call)
                    said.append(f"{names[call]}: {short(answer)}")
print("; ".join(said))
PY
}
