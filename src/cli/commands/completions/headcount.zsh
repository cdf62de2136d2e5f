#compdef headcount
# Zsh completion for headcount: commands, options and the sessions of the manifest.
_headcount() {
    local program="${${(Q)words[1]}/#\~\//$HOME/}" one
    local line="${(j: :)words[1,CURRENT-1]} $QIPREFIX$IPREFIX$PREFIX"
    local -a lines values shown
    lines=("${(@f)$("$program" complete zsh -- "$line" 2>/dev/null)}")
    case $lines[1] in
        files)
            compset -P '--*='
            _files
            return
            ;;
        directories)
            compset -P '--*='
            _files -/
            return
            ;;
    esac
    lines=("${(@)lines[2,-1]}")
    values=("${(@)lines%%$'\t'*}")
    for one in "${(@)lines}"; do
        shown+=("${one//$'\t'/  -- }")
    done
    compadd -V headcount -l -d shown -a values
}
# The file is either sourced or autoloaded as the function itself.
if [ "$funcstack[1]" = "_headcount" ]; then
    _headcount "$@"
else
    compdef _headcount headcount
fi
