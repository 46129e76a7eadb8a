# shellcheck shell=bash
# Sourced after lib.sh by the run scripts: reports under target/reports, and steps with their times.
REPORTS="$ROOT/target/reports"
mkdir -p "$REPORTS"

# Runs a named step: prints its name, its time and how it ended, and remembers a failure. A step that
# returns 75 could not be done here, which is told apart from both.
STEPS_JSON=""
FAILED_STEPS=""
step() {
  local name="$1" start=$SECONDS outcome=passed
  shift
  printf '==> %s\n' "$name"
  "$@" || case $? in 75) outcome="not checked" ;; *) outcome=failed ;; esac
  printf '    %s: %s (%s s)\n' "$name" "$outcome" "$((SECONDS - start))"
  [ "$outcome" != failed ] || FAILED_STEPS="$FAILED_STEPS $name"
  STEPS_JSON="$STEPS_JSON${STEPS_JSON:+,}{\"name\":\"$name\",\"outcome\":\"$outcome\",\"seconds\":$((SECONDS - start))}"
}
