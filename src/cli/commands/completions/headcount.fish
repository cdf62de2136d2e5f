# Fish completion for headcount: commands, options and the sessions of the manifest.
function __headcount_complete
    set -l words (commandline -opc)
    set -l program (string replace -r '^~/' "$HOME/" -- $words[1])
    set -l lines (command $program complete fish -- (commandline -pc | string collect) 2>/dev/null)
    set -l token (commandline -ct)
    set -l option (string match -r -- '^--[^=]*=' $token)
    set -l rest (string replace -- "$option" '' $token)
    switch "$lines[1]"
        case files
            for path in (complete -C "'' $rest")
                echo "$option$path"
            end
        case directories
            for path in (__fish_complete_directories $rest)
                echo "$option$path"
            end
        case '*'
            printf '%s\n' $lines[2..-1]
    end
end
complete -c headcount -f -k -a '(__headcount_complete)'
