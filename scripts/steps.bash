# Runs named steps, goes on when one fails, and closes with a table. Sourced by scripts/lint and
# .ci/run.
# shellcheck shell=bash

steps=()
steps_failed=0

# step NAME COMMAND...: a command that could not do its work here, and says so, returns 77.
step() {
    local name=$1 start=$SECONDS result=ok
    shift
    printf '\n::: %s\n' "$name"
    "$@" || case $? in
        77) result=SKIPPED ;;
        *) result=FAILED && steps_failed=1 ;;
    esac
    steps+=("$(printf '%-7s %5d s  %s' "$result" "$((SECONDS - start))" "$name")")
}

# Prints the table; fails when a step has.
summary() {
    printf '\n::: summary\n'
    printf '%s\n' "${steps[@]}"
    return "$steps_failed"
}
