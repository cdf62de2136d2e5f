# shellcheck shell=bash
# Sourced by the per-agent scripts, which ./x e2e runs. Needs HEADCOUNT (the program) and BIN (the agent's directories for PATH).
#
# One world: a network namespace with loopback only, an environment built from nothing, a temp HOME, a multiplexer of its own (MUX,
# see mux.sh) and a fake model server on 127.0.0.1. Only processes of this world are ended, by pid or through its socket.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
: "${HEADCOUNT:?the headcount program}" "${BIN:?directories of the agent for PATH}"

if [ "${NETNS:-}" != in ]; then
  for how in "unshare -n" "unshare -rn"; do
    if $how true 2>/dev/null; then NETNS=in exec $how "$BASH" "$0" "$@"; fi
  done
  echo "note: no network namespace here; relying on the agent's own offline settings" >&2
else
  python3 - <<'PY'
import fcntl, socket, struct  # the loopback interface of the new namespace is down
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
flags = struct.unpack("16sH22x", fcntl.ioctl(s, 0x8913, struct.pack("16sH22x", b"lo", 0)))[1]
fcntl.ioctl(s, 0x8914, struct.pack("16sH22x", b"lo", flags | 1))
PY
fi

WORLD=$(mktemp -d "${TMPDIR:-/tmp}/headcount-e2e.XXXXXX")
WORLD=$(cd "$WORLD" && pwd -P)
H=$WORLD/home
mkdir -p "$H" "$WORLD/tmux"
SYSPATH=/usr/local/bin:/usr/bin:/bin
NODE=$(command -v node || true)
[ -z "$NODE" ] || SYSPATH=$(dirname "$NODE"):$SYSPATH
MODEL=''

clean() { env -i PATH="$SYSPATH" HOME="$H" TMUX_TMPDIR="$WORLD/tmux" ZELLIJ_SOCKET_DIR="$WORLD/z" TERM=xterm-256color \
  LANG=C.UTF-8 SHELL=/bin/bash "$@"; }
headcount() { clean HEADCOUNT_MANIFEST="$H/agent-sessions.yaml" "$HEADCOUNT" "$@"; }

finish() {
  local rc=$?
  end_sessions
  [ -z "$MODEL" ] || kill "$MODEL" 2>/dev/null || true
  # An agent may take a moment to end after its terminal did.
  if [ $rc = 0 ]; then rm -rf "$WORLD" 2>/dev/null || { sleep 1; rm -rf "$WORLD"; } || true; else echo "kept: $WORLD" >&2; fi
  exit $rc
}
trap finish EXIT

source "$HERE/mux.sh"

clean "$(command -v python3)" -B "$HERE/fake_model_server.py" --port-file "$WORLD/port" --log "$WORLD/requests.jsonl" \
  >"$WORLD/model.out" 2>&1 &
MODEL=$!

# await SECONDS WHAT COMMAND...: until the command succeeds
await() {
  local until=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $until ] || { echo "FAILED: $what did not come" >&2; return 1; }
    read -rt 0.05 <> <(:) || true
  done
}
await 10 "the fake model server" test -s "$WORLD/port"
# shellcheck disable=SC2034 # for the scripts that source this
URL=http://127.0.0.1:$(cat "$WORLD/port")

# manifest: what stands on the standard input, its sessions in this multiplexer
manifest() { sed "1a defaults: { mux: $MUX }" >"$H/agent-sessions.yaml"; }

# field NAME KEY: what status says of a session
field() {
  headcount status --settle 0s --json | python3 -c '
import json, sys
rows = {row["session"]["name"]: row for row in json.load(sys.stdin)["sessions"]}
print(rows[sys.argv[1]].get(sys.argv[2]))' "$1" "$2"
}
# check WHAT EXPECTED ACTUAL
check() {
  if [ "$2" = "$3" ]; then echo "ok: $1"; else echo "FAILED: $1: expected $2, got $3" >&2; headcount status --settle 0s >&2; exit 1; fi
}
drifts() { headcount diff --settle 0s --json | python3 -c '
import json, sys
print(" ".join(sorted(d["class"] + ":" + d["session"]["name"] for d in json.load(sys.stdin)["drifts"])))' || true; }
record() { headcount reconcile --settle 0s >/dev/null; }
# turn NAME TURN: awaits that status says the session's agent is idle or working
turn() {
  headcount schema status | grep -q '"turn"' || { echo "SKIPPED $1 $2: status does not say what agents are doing"; return 0; }
  is_turn() { [ "$(field "$1" turn)" = "$2" ]; }
  await 20 "$1 $2" is_turn "$1" "$2"
  echo "ok: $1 is $2"
}
