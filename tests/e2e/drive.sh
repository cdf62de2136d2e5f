# shellcheck shell=bash
# Sourced by the scripts of agents: texts are sent to the real agent of a session. Needs what common.sh and mux.sh define.

# In zellij somebody looks on, and what a script types is held then.
SURE=()
[ "$MUX" = tmux ] || SURE=(--yes)
# told_to WORD...: headcount, once more where a zellij did not answer, or not in time: then nothing was typed
told_to() {
  local rc said
  for _ in 1 2 3; do
    rc=0
    said=$(headcount "$@" 2>"$WORLD/told.err") || rc=$?
    if [ "$MUX $rc" != 'zellij 3' ] || ! grep -q 'did not answer within\|has changed in this moment' - "$WORLD/told.err" <<<"$said"; then break; fi
  done
  cat "$WORLD/told.err" >&2
  [ -z "$said" ] || printf '%s\n' "$said"
  return "$rc"
}
# receipt NAME WORD...: what headcount says of a text, as JSON in RECEIPT; its exit code in RC
receipt() {
  RC=0
  RECEIPT=$(told_to send "$@" --json "${SURE[@]}") || RC=$?
  echo "$RECEIPT" >"$WORLD/receipt"
}
# of KEY: a field of the receipt
of() { python3 -c 'import json,sys; print(json.loads(sys.argv[1]).get(sys.argv[2]))' "$RECEIPT" "$1"; }
# takes NAME: whether a text would be typed now
takes() { headcount send "$1" x --dry-run "${SURE[@]}" >"$WORLD/takes" 2>&1; }
# prompts FILES TEXT: how many prompts of these transcripts hold a text
prompts() { python3 - "$@" <<'PY'
import glob, json, sys
files, text = sys.argv[1:]
lines = [json.loads(line) for name in glob.glob(files) for line in open(name) if text in line]
def is_prompt(line):
    said = {"message": line.get("message"), "response_item": line.get("payload")}.get(line.get("type")) or {}
    return line.get("type") in ("user", "user.message") or said.get("role") == "user"
print(sum(map(is_prompt, lines)))
PY
}

# driven NAME TRANSCRIPT: what can go right and wrong with a text. TRANSCRIPT is a glob of the files that hold the conversation.
driven() {
  told "$1"
  interrupted "$1"
  refused_by_a_dialog "$1"
  questioned "$1" 60
  waited "$1" "$2"
  raced "$1" "$2"
}
# begun AGENT CWD ENTRY: a session named driven that headcount starts; ENTRY as of led
begun() {
  mkdir -p "$2"
  printf '  - { name: driven, agent: %s, cwd: %s, mux: %s, desired: running, %s }\n' "$1" "$2" "$MUX" "$3" >>"$H/agent-sessions.yaml"
  headcount start driven
}
# told NAME: texts that arrive, and texts that nothing is typed of
told() {
  local name=$1 text
  await 30 "$name takes a text" takes "$name"
  receipt "$name" 'hello, driven' --dry-run
  check "$name: a dry run types nothing" "0 preview" "$RC $(of outcome)"
  receipt "$name" $'driven one\n@@say first' --id one
  check "$name: a text is delivered" "0 delivered" "$RC $(of outcome)"
  await 30 "$name takes a text again" takes "$name"
  receipt "$name" $'driven one\n@@say first' --id one
  check "$name: under its key it is not sent twice" "0 duplicate" "$RC $(of outcome)"
  receipt "$name" 'something else' --id one
  check "$name: nor is another text" "3 refused" "$RC $(of outcome)"
  text=$'tabs\tand "quotes", $(x) `y` \'z\', @@ and 漢字 😀;\n  a second line\n\n@@say odd;'
  receipt "$name" "$text"
  check "$name: odd characters arrive" "0 delivered" "$RC $(of outcome)"
  await 30 "$name takes a text again" takes "$name"
  text=$(seq 1000 1400; echo '@@say long')
  receipt "$name" "$text"
  check "$name: a long text is delivered" "0 delivered" "$RC $(of outcome)"
  await 30 "$name takes a text again" takes "$name"
  receipt "$name" $'driven\e[201~'
  check "$name: control characters are refused" "3 refused" "$RC $(of outcome)"
  receipt "$name" $'driven\e three\n@@say third' --strip
  check "$name: unless they are taken out" "0 delivered 1" "$RC $(of outcome) $(of stripped)"
  await 30 "$name takes a text again" takes "$name"
  receipt "$name" '!touch shell-ran'
  check "$name: what runs in a shell is refused" "3 refused" "$RC $(of outcome)"

  letters "$name" 'half a draft'
  await 10 "the draft of $name" has_draft "$name" draft
  receipt "$name" 'onto a draft'
  check "$name: a draft is left alone" "3 draft" "$RC $(of code)"
  key "$name" C-u
  await 30 "$name takes a text again" takes "$name"
  if [ "$MUX" = tmux ]; then
    tm copy-mode -t "=$name:"
    receipt "$name" 'in copy mode'
    check "$name: copy mode takes the keys" "3 dialog" "$RC $(of code)"
    tm send-keys -t "=$name:" -X cancel
  fi
  receipt "$name" $'driven staged\n@@say staged' --no-submit
  check "$name: it can be left in the composer" "0 staged" "$RC $(of outcome)"
  receipt "$name" --submit "$(of id)"
  check "$name: and be submitted later" "0 delivered" "$RC $(of outcome)"
  await 30 "$name takes a text again" takes "$name"
}
# interrupted NAME: of an agent that one Esc interrupts
interrupted() {
  local name=$1
  receipt "$name" $'driven slow\n@@slow 60\n@@say every word of this comes slowly, and the first ones are on the screen before the turn is interrupted'
  check "$name: a slow turn begins" "0 delivered" "$RC $(of outcome)"
  await 20 "$name at work" is_held "$name" working
  receipt "$name" 'midway' --mid-turn
  check "$name: where it may ask, nothing is typed into a turn" "3 working" "$RC $(of code)"
  # Before the first word an interrupted prompt is put back into the composer.
  pause 6
  receipt "$name" $'driven instead\n@@say instead' --interrupt
  # Claude puts a prompt back whose answer has not begun.
  if [ "$(of code)" = draft ]; then
    key "$name" C-u
    await 30 "$name takes a text again" takes "$name"
    receipt "$name" $'driven instead\n@@say instead'
  fi
  check "$name: a turn is interrupted where that is asked for" "0 delivered" "$RC $(of outcome)"
  await 30 "$name takes a text again" takes "$name"
}
# questioned NAME SECONDS: how long an answer takes that nobody waits for; of more than 20 it is interrupted
questioned() {
  local name=$1 late=$2 interrupt=()
  [ "$late" -le 20 ] || interrupt=(--interrupt)
  check "$name: a question is answered by its own turn" "the answer" "$(told_to ask "${SURE[@]}" "$name" $'driven asked\n@@slow 2\n@@say the answer')"
  await 30 "$name takes a text again" takes "$name"
  RC=0
  told_to ask "${SURE[@]}" "$name" "driven late
@@slow $late
@@say these words come late, one after the other, and nobody waits until all of them are there" --timeout 3s >"$WORLD/asked" 2>"$WORLD/asked.err" || RC=$?
  check "$name: an answer that does not come in time is said" "75 0" "$RC $(stat -c %s "$WORLD/asked")"
  pause 6
  [ "$late" -gt 20 ] || await 60 "$name takes a text again" takes "$name"
  RC=0
  told_to ask "${SURE[@]}" "$name" $'driven error\n@@error 400' "${interrupt[@]}" --timeout 60s >"$WORLD/asked" 2>"$WORLD/asked.err" || RC=$?
  if [ "$RC" = 3 ]; then
    RC=0
    key "$name" C-u
    await 60 "$name takes a text again" takes "$name"
    told_to ask "${SURE[@]}" "$name" $'driven error\n@@error 400' --timeout 60s >"$WORLD/asked" 2>"$WORLD/asked.err" || RC=$?
  fi
  check "$name: a turn that fails is no answer" "1 0" "$RC $(stat -c %s "$WORLD/asked")"
  await 60 "$name takes a text again" takes "$name"
}
# refused_by_a_dialog NAME: of an agent that asks for permissions
refused_by_a_dialog() {
  local name=$1
  RC=0
  told_to ask "${SURE[@]}" "$name" $'driven asks first\n@@ask touch granted' --timeout 60s >"$WORLD/asked" 2>"$WORLD/asked.err" || RC=$?
  check "$name: an agent that asks is no answer" "3 0" "$RC $(stat -c %s "$WORLD/asked")"
  receipt "$name" 'into a dialog'
  check "$name: no dialog is answered by a text" "3 dialog" "$RC $(of code)"
  # Of some only the screen tells that they ask, which is for a person to see.
  if answers "$name"; then
    check "$name: it is shown what is asked" "0 asks" "$RC $(sed 1q "$WORLD/answered" | grep -o asks)"
    RC=0
    told_to answer "${SURE[@]}" "$name" approve --expect 000000 >"$WORLD/answered" || RC=$?
    check "$name: another question is not answered" "3 0" "$RC $(find "$H" -name granted | wc -l)"
    told_to answer "${SURE[@]}" "$name" approve
    await 20 "what was approved" ran granted
    echo "ok: $name: what is approved runs"
    await 30 "$name takes a text again" takes "$name"
    told_to ask "${SURE[@]}" "$name" $'driven asks again\n@@ask touch refused' --timeout 60s >"$WORLD/asked" 2>&1 || true
    told_to answer "${SURE[@]}" "$name" deny
    await 30 "$name takes a text again" takes "$name"
    check "$name: what is denied does not run" "" "$(find "$H" -name refused -o -name shell-ran)"
  else
    RC=0
    told_to answer "${SURE[@]}" "$name" deny >"$WORLD/answered" || RC=$?
    check "$name: the screen alone is not enough" 3 "$RC"
    key "$name" Escape
  fi
  await 30 "$name takes a text again" takes "$name"
  # The fake model takes what follows for one prompt with what was denied.
  receipt "$name" $'driven calm\n@@say calm'
  await 30 "$name takes a text again" takes "$name"
}
# answers NAME: whether it is told what its agent asks, and something other than the screen says that it does
answers() {
  RC=0
  told_to answer "$1" >"$WORLD/answered" || RC=$?
  [ "$(field "$1" turn)" = waiting ]
}
ran() { [ -n "$(find "$H" -name "$1")" ]; }
# waited NAME TRANSCRIPT: texts that wait for the end of a turn are said once each
waited() {
  local name=$1 files=$2 n watch
  receipt "$name" $'driven long\n@@slow 4\n@@say while this is said the other texts wait for its end'
  check "$name: a turn that others wait for begins" "0 delivered" "$RC $(of outcome)"
  await 20 "$name at work" is_held "$name" working
  for n in 1 2; do
    receipt "$name" "driven waits $n" --queue --keep
    check "$name: text $n waits" "0 waiting" "$RC $(of outcome)"
  done
  headcount watch --deliver --json >"$WORLD/delivering" 2>&1 &
  watch=$!
  both() { [ "$(prompts "$files" 'driven waits 1') $(prompts "$files" 'driven waits 2')" = '1 1' ]; }
  # In zellij somebody looks on, and a watch leaves that session to them.
  now() { headcount queue "$name" --now --yes >/dev/null; both; }
  if [ "$MUX" = tmux ]; then await 60 "the texts that waited" both; else await 60 "the texts that waited" now; fi
  await 30 "$name takes a text again" takes "$name"
  kill "$watch"
  wait "$watch" || true
  check "$name: what waited is said once" "1 1" "$(prompts "$files" 'driven waits 1') $(prompts "$files" 'driven waits 2')"
}
# raced NAME TRANSCRIPT: several at once, and some that are killed in the middle
raced() {
  local name=$1 files=$2 n times senders=()
  for n in 1 2 3 4; do
    headcount send "${SURE[@]}" "$name" "driven at once $n" --id "once-$n" --json >"$WORLD/once-$n" &
    senders+=("$!")
  done
  wait "${senders[@]}" || true
  n=$(grep -l '"delivered"' "$WORLD"/once-? | wc -l)
  # A zellij that four of them ask at once may not answer any of them in time.
  [ "$MUX $n" = 'zellij 0' ] || check "$name: of four at once one is delivered" 1 "$n"
  await 30 "$name takes a text again" takes "$name"
  for n in 1 2 3 4 5 6; do
    kill_send "$name" "driven killed $n" "0.0$((n + 1))"
    await 40 "$name takes a text again or holds it" settled "$name"
    times=$(prompts "$files" "driven killed $n")
    [ "$times" -le 1 ] || check "$name: killed $n" "at most once" "$times times"
    key "$name" C-u
    await 30 "$name takes a text again" takes "$name"
  done
  echo "ok: $name: six senders were killed, and nothing was said twice"
}
# kill_send NAME TEXT SECONDS: sends it under a key, is killed after so long, and sends it again
kill_send() {
  clean HEADCOUNT_MANIFEST="$H/agent-sessions.yaml" timeout -s KILL "$3" "$HEADCOUNT" send "${SURE[@]}" "$1" "$2" --id "$2" >/dev/null 2>&1 || true
  headcount send "${SURE[@]}" "$1" "$2" --id "$2" --json >/dev/null || true
}
settled() { takes "$1" || is_held "$1" draft; }
is_held() {
  receipt "$1" x --dry-run
  [ "$(of code)" = "$2" ]
}
has_draft() { is_held "$1" "$2"; }
