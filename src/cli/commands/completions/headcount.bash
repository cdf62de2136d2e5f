# Bash completion for headcount: commands, options and the sessions of the manifest.
# shellcheck shell=bash
_headcount() {
    local program=${COMP_WORDS[0]} kind
    [[ $program != \~/* ]] || program=$HOME/${program:2}
    # Bash splits words at quotes, `:` and `=`; headcount reads the line itself, and $2 says what readline will replace.
    mapfile -t COMPREPLY < <("$program" complete bash -- "${COMP_LINE:0:COMP_POINT}" "$2" 2>/dev/null)
    kind=${COMPREPLY[0]-}
    COMPREPLY=("${COMPREPLY[@]:1}")
    case $kind in
        files) compopt -o default ;;
        directories) compopt -o dirnames ;;
    esac
}
complete -o nosort -F _headcount headcount
