# bash completion for llmcli. Generated: `python -m tests.generated` rewrites it.
# Reads local files only: no program but the shell is started.

_llmcli_config="${LLMCLI_CONFIG:-${XDG_CONFIG_HOME:-$HOME/.config}/llmcli/config.toml}"

# Offer the words given that begin with the current one. What stands before its last colon is on
# the line already, as bash sees a word of its own there.
_llmcli_offer() {
    local word head=''
    [[ $cur == *:* && $COMP_WORDBREAKS == *:* ]] && head="${cur%"${cur##*:}"}"
    for word in "$@"; do
        [[ $word == "$cur"* ]] && COMPREPLY+=("${word#"$head"}")
    done
}

_llmcli_files() {
    local file
    compopt -o filenames 2>/dev/null
    while IFS= read -r file; do COMPREPLY+=("$file"); done < <(compgen -f -- "$cur")
}

_llmcli_at_files() {
    [[ $cur == @* ]] || return
    local file
    compopt -o nospace 2>/dev/null
    while IFS= read -r file; do COMPREPLY+=("@$file"); done < <(compgen -f -- "${cur#@}")
}

_llmcli_profiles() {
    local line
    [[ -r $_llmcli_config ]] || return
    while IFS= read -r line; do
        [[ $line =~ ^[[:space:]]*\[profiles\.\"?([^].\"]+)\"?\] ]] && _llmcli_offer "${BASH_REMATCH[1]}"
    done < "$_llmcli_config"
}

_llmcli_models() {
    local line file
    _llmcli_offer local
    if [[ -r $_llmcli_config ]]; then
        while IFS= read -r line; do
            [[ $line =~ ^[[:space:]]*model[[:space:]]*=[[:space:]]*[\"\']([^\"\']+) ]] &&
                _llmcli_offer "${BASH_REMATCH[1]}"
        done < "$_llmcli_config"
    fi
    for file in "${XDG_CACHE_HOME:-$HOME/.cache}"/llmcli/models/*.txt; do
        [[ -r $file ]] || continue
        while IFS= read -r line; do _llmcli_offer "$line"; done < "$file"
    done
}

# The names of the files $1/*.$2.
_llmcli_names() {
    local file
    for file in "$1"/*."$2"; do
        [[ -e $file ]] || continue
        file="${file##*/}"
        _llmcli_offer "${file%."$2"}"
    done
}

_llmcli_templates() { _llmcli_names "${XDG_CONFIG_HOME:-$HOME/.config}/llmcli/templates" toml; }

_llmcli_sessions() { _llmcli_names "${XDG_STATE_HOME:-$HOME/.local/state}/llmcli/sessions" jsonl; }

_llmcli_efforts() { _llmcli_offer none low medium high; }

_llmcli() {
    local cur='' prev='' words='' command='' word previous='' i
    COMPREPLY=()
    # bash splits words at colons, which model ids contain: join them again.
    local -a line=()
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word="${COMP_WORDS[i]}"
        if ((i > 0)) && [[ $word == : || $previous == *: ]]; then
            line[${#line[@]} - 1]+="$word"
        else
            line+=("$word")
        fi
        previous="$word"
    done
    cur="${line[${#line[@]} - 1]}"
    ((${#line[@]} > 1)) && prev="${line[${#line[@]} - 2]}"

    # The command: the first word that is no option and no option's value; ask without one.
    local skip=0
    for ((i = 1; i < ${#line[@]} - 1; i++)); do
        if ((skip)); then skip=0; continue; fi
        case "${line[i]}" in
        --base-url|--block|--cluster|--connect-timeout|--deadline|--delimiter|--file|--files|--format|--header|--idle-timeout|--jobs|--max-cost|--max-input|--max-tokens|--max-turns|--messages|--model|--option|--output|--param|--profile|--reasoning|--repair|--requests|--retries|--rpm|--save-messages|--schema|--seed|--session|--since|--stop|--system|--tag|--temperature|--template|--tool-result|--tools|--top-p|--tpm|--until|--usage-file|-O|-f|-j|-m|-o|-p|-s|-t) skip=1 ;;
        -*) ;;
        config|local|session|template)
            [[ -z $command ]] && { command="${line[i]}"; continue; }
            break ;;
        *)
            case "$command" in
            config|local|session|template) command+=" ${line[i]}" ;;
            '') command="${line[i]}" ;;
            esac
            break ;;
        esac
    done

    case "$prev" in
    -s|--system) _llmcli_at_files; return ;;
    --reasoning) _llmcli_efforts; return ;;
    -f|--file|--messages|--save-messages|--tools|--schema|-O|--output|--usage-file|--requests) _llmcli_files; return ;;
    -m|--model) _llmcli_models; return ;;
    --profile) _llmcli_profiles; return ;;
    --session) _llmcli_sessions; return ;;
    -t|--template) _llmcli_templates; return ;;
    --base-url|--block|--cluster|--connect-timeout|--deadline|--delimiter|--files|--format|--header|--idle-timeout|--jobs|--max-cost|--max-input|--max-tokens|--max-turns|--option|--param|--repair|--retries|--rpm|--seed|--since|--stop|--tag|--temperature|--tool-result|--top-p|--tpm|--until|-j|-o|-p) return ;;
    esac
    if ((${#line[@]} == 2)) && [[ $cur != -* ]]; then
        words='ask map models usage config local session template'
    else
        case "$command" in ask|map|models|usage|config|local|session|template|*' '*) ;; *) command=ask ;; esac
        case "$command" in
    'ask') words='-n --no-stdin -f --file -s --system -t --template -p --param --max-input --session -c --continue --messages --save-messages --tool-result --tools --run-tools --approve --strict-tools --max-turns --schema --repair -x --extract --block --yes-no -m --model --temperature --max-tokens --top-p --stop --seed --reasoning -o --option --no-stream --profile --base-url --header --connect-timeout --idle-timeout --deadline --retries --max-cost --tag --no-ledger --json --events -O --output --no-newline -q --quiet -v --verbose --usage-file --show-reasoning --allow-cut --dry-run --curl -h --help' ;;
    'map') words='-n --no-stdin -f --file -s --system -t --template -p --param --max-input --format --delimiter -0 --null --files --requests -j --jobs --rpm --tpm --cluster --json --csv --one-line -O --output --resume --retry-failed --unordered -q --quiet -v --verbose --allow-cut --dry-run --tools --run-tools --approve --strict-tools --max-turns --schema --repair -x --extract --block --yes-no -m --model --temperature --max-tokens --top-p --stop --seed --reasoning -o --option --no-stream --profile --base-url --header --connect-timeout --idle-timeout --deadline --retries --max-cost --tag --no-ledger -h --help' ;;
    'models') words='--free --takes --sort --refresh --json --profile --base-url -h --help' ;;
    'usage') words='--since --until --by --json --csv -h --help' ;;
    'config') words='path show check -h --help' ;;
    'config path') words='-h --help' ;;
    'config show') words='--profile --json -h --help' ;;
    'config check') words='--profile --base-url -m --model -h --help' ;;
    'local') words='pull list remove -h --help' ;;
    'local pull') words='-h --help' ;;
    'local list') words='-h --help' ;;
    'local remove') words='-h --help' ;;
    'session') words='list show export remove -h --help' ;;
    'session list') words='--json -h --help' ;;
    'session show') words='--json -h --help' ; [[ $cur == -* ]] || _llmcli_sessions ;;
    'session export') words='-h --help' ; [[ $cur == -* ]] || _llmcli_sessions ;;
    'session remove') words='-h --help' ; [[ $cur == -* ]] || _llmcli_sessions ;;
    'template') words='list show edit -h --help' ;;
    'template list') words='-h --help' ;;
    'template show') words='-h --help' ; [[ $cur == -* ]] || _llmcli_templates ;;
    'template edit') words='-h --help' ; [[ $cur == -* ]] || _llmcli_templates ;;
        esac
    fi
    [[ $cur == -* || -z $command || $command != ask ]] && _llmcli_offer $words
}

complete -F _llmcli llmcli
