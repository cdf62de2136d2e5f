# shellcheck shell=bash
# Sourced by the scripts of agents: texts are sent to the real agent of a session. Needs what common.sh and mux.sh define.

# receipt NAME WORD...: what headcount says of a text, as JSON in RECEIPT; its exit code in RC
receipt() {
  RC=0
  RECEIPT=$(headcount send "$@" --json) || RC=$?
}
# of KEY: a field of the receipt
of() { python3 -c 'import json,sys; print(json.loads(sys.argv[1]).get(sys.argv[2]))' "$RECEIPT" "$1"; }
# takes NAME: whether a text would be typed now
takes() { headcount send "$1" x --dry-run; }
# prompts FILES TEXT: how many prompts of these transcripts hold a text
prompts() { python3 - "$@" <<'PY'
import glob, json, sys
files, text = sys.argv[1:]
lines = [json.loads(line) for name in glob.glob(files) for line in open(name) if text in line]
is_prompt = lambda line: line["type"] == "user" or line["type"] == "response_item" and line["payload"].get("role") == "user"
print(sum(map(is_prompt, lines)))
PY
}

# driven NAME TRANSCRIPT: what can go right and wrong with a text. TRANSCRIPT is a glob of the files that hold the conversation.
driven() {
  local name=$1 files=$2 text n times
  if [ "$MUX" != tmux ]; then
    await 20 "$name alive" takes_or_says "$name"
    receipt "$name" hello
    check "$name: in $MUX nothing is typed, and why is said" "3 unsupported" "$RC $(of code)"
    return
  fi
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

  tm send-keys -t "=$name:" -l 'half a draft'
  await 10 "the draft of $name" has_draft "$name" draft
  receipt "$name" 'onto a draft'
  check "$name: a draft is left alone" "3 draft" "$RC $(of code)"
  tm send-keys -t "=$name:" C-u
  await 30 "$name takes a text again" takes "$name"
  tm copy-mode -t "=$name:"
  receipt "$name" 'in copy mode'
  check "$name: copy mode takes the keys" "3 dialog" "$RC $(of code)"
  tm send-keys -t "=$name:" -X cancel
  receipt "$name" $'driven staged\n@@say staged' --no-submit
  check "$name: it can be left in the composer" "0 staged" "$RC $(of outcome)"
  receipt "$name" --submit "$(of id)"
  check "$name: and be submitted later" "0 delivered" "$RC $(of outcome)"
  await 30 "$name takes a text again" takes "$name"

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
    tm send-keys -t "=$name:" C-u
    await 30 "$name takes a text again" takes "$name"
    receipt "$name" $'driven instead\n@@say instead'
  fi
  check "$name: a turn is interrupted where that is asked for" "0 delivered" "$RC $(of outcome)"
  await 30 "$name takes a text again" takes "$name"

  check "$name: a question is answered by its own turn" "the answer" "$(headcount ask "$name" $'driven asked\n@@slow 2\n@@say the answer')"
  await 30 "$name takes a text again" takes "$name"
  RC=0
  headcount ask "$name" $'driven late\n@@slow 60\n@@say these words come late, one after the other, and nobody waits until all of them are there' --timeout 3s >"$WORLD/asked" 2>"$WORLD/asked.err" || RC=$?
  check "$name: an answer that does not come in time is said" "75 0" "$RC $(stat -c %s "$WORLD/asked")"
  pause 6
  RC=0
  headcount ask "$name" $'driven error\n@@error 400' --interrupt --timeout 60s >"$WORLD/asked" 2>"$WORLD/asked.err" || RC=$?
  if [ "$RC" = 3 ]; then
    RC=0
    tm send-keys -t "=$name:" C-u
    await 60 "$name takes a text again" takes "$name"
    headcount ask "$name" $'driven error\n@@error 400' --timeout 60s >"$WORLD/asked" 2>"$WORLD/asked.err" || RC=$?
  fi
  check "$name: a turn that fails is no answer" "1 0" "$RC $(stat -c %s "$WORLD/asked")"
  await 60 "$name takes a text again" takes "$name"
  RC=0
  headcount ask "$name" $'driven asks first\n@@ask touch asked' --timeout 60s >"$WORLD/asked" 2>"$WORLD/asked.err" || RC=$?
  check "$name: an agent that asks is no answer" "3 0" "$RC $(stat -c %s "$WORLD/asked")"
  receipt "$name" 'into a dialog'
  check "$name: no dialog is answered by a text" "3 dialog" "$RC $(of code)"
  tm send-keys -t "=$name:" Escape
  await 30 "$name takes a text again" takes "$name"
  check "$name: what it asked for did not run" "" "$(find "$H" -name asked -o -name shell-ran)"

  # Two at once, and one that is killed in the middle.
  local senders=()
  for n in 1 2 3 4; do
    headcount send "$name" "driven at once $n" --id "once-$n" --json >"$WORLD/once-$n" &
    senders+=("$!")
  done
  wait "${senders[@]}" || true
  check "$name: of four at once one is delivered" 1 "$(grep -l '"delivered"' "$WORLD"/once-? | wc -l)"
  await 30 "$name takes a text again" takes "$name"
  for n in 1 2 3 4 5 6; do
    kill_send "$name" "driven killed $n" "0.0$((n + 1))"
    await 40 "$name takes a text again or holds it" settled "$name"
    times=$(prompts "$files" "driven killed $n")
    [ "$times" -le 1 ] || check "$name: killed $n" "at most once" "$times times"
    tm send-keys -t "=$name:" C-u
    await 30 "$name takes a text again" takes "$name"
  done
  echo "ok: $name: six senders were killed, and nothing was said twice"
}
# kill_send NAME TEXT SECONDS: sends it under a key, is killed after so long, and sends it again
kill_send() {
  clean HEADCOUNT_MANIFEST="$H/agent-sessions.yaml" timeout -s KILL "$3" "$HEADCOUNT" send "$1" "$2" --id "$2" >/dev/null 2>&1 || true
  headcount send "$1" "$2" --id "$2" --json >/dev/null || true
}
settled() { takes "$1" || is_held "$1" draft; }
is_held() {
  receipt "$1" x --dry-run
  [ "$(of code)" = "$2" ]
}
has_draft() { is_held "$1" "$2"; }
takes_or_says() { receipt "$1" x --dry-run; [ "$(of code)" != no-agent ]; }
