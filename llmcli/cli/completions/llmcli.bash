# bash completion for llmcli. Generated: `python -m tests.generated` rewrites it.
# Reads local files only: no program but the shell is started.

_llmcli_config="${LLMCLI_CONFIG:-${XDG_CONFIG_HOME:-$HOME/.config}/llmcli/config.toml}"

# Offer the words given that begin with the current one. `pre` is the option that is joined to a
# value, as in --model=x and -mx. bash takes what stands before = and : as given.
_llmcli_offer() {
    local word
    for word in "$@"; do
        [[ $word == "$cur"* ]] && COMPREPLY+=("${pre}${word}")
    done
}

_llmcli_files() {
    local file
    compopt -o filenames 2>/dev/null
    while IFS= read -r file; do COMPREPLY+=("$pre$file"); done < <(compgen -f -- "$cur")
}

_llmcli_at_files() {
    [[ $cur == @* ]] || return
    local file
    compopt -o nospace 2>/dev/null
    while IFS= read -r file; do COMPREPLY+=("$pre@$file"); done < <(compgen -f -- "${cur#@}")
}

# The variables of the template that the line names.
_llmcli_variables() {
    local i name='' text file
    for ((i = 1; i < ${#line[@]} - 1; i++)); do
        case "${line[i]}" in
        -t | --template) name="${line[i + 1]}" ;;
        --template=*) name="${line[i]#*=}" ;;
        -t*) name="${line[i]#-t}" ;;
        esac
    done
    file="$name"
    [[ $name == */* ]] || file="${XDG_CONFIG_HOME:-$HOME/.config}/llmcli/templates/$name.toml"
    [[ $name && -f $file && -r $file ]] || return
    compopt -o nospace 2>/dev/null
    text="$(< "$file")"
    text="${text//\{\{/}"
    while [[ $text =~ \{([A-Za-z_][A-Za-z0-9_]*)\} ]]; do
        text="${text#*"${BASH_REMATCH[0]}"}"
        name="${BASH_REMATCH[1]}"
        [[ $name == stdin || $name == prompt || " ${COMPREPLY[*]} " == *" $pre$name= "* ]] ||
            _llmcli_offer "$name="
    done
}

# Each provider is a profile by its name.
_llmcli_profiles() {
    local line
    _llmcli_offer cline openai azure openrouter anthropic gemini groq mistral deepseek xai together ollama lmstudio llama.cpp
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
_llmcli_formats() { _llmcli_offer lines jsonl csv; }
_llmcli_units() { _llmcli_offer day week month model tag session profile command; }
_llmcli_shells() { _llmcli_offer bash zsh fish; }
_llmcli_topics() { _llmcli_offer start keys providers prompts options settings exit-codes retries json sessions templates schema tools map batch cluster money cron recipes commit-hook nightly-report enrich-csv embedded install benchmarks ask models usage config local session template help completion; }

_llmcli() {
    local cur='' prev='' pre='' words='' command='' head='' breaks i
    COMPREPLY=()
    # bash splits words at = : @ as well, which are parts of ours. It replaces what follows the last
    # = or :, but all of a word that begins with @.
    local -a line=()
    read -ra line <<< "${COMP_LINE:0:COMP_POINT}"
    [[ ${COMP_LINE:0:COMP_POINT} == *[[:space:]] ]] && line+=('')
    cur="${line[${#line[@]} - 1]}"
    breaks="${COMP_WORDBREAKS//[^=:]/}"
    [[ $breaks ]] && head="${cur%"${cur##*[$breaks]}"}"
    ((${#line[@]} > 1)) && prev="${line[${#line[@]} - 2]}"
    if [[ $cur == --*=* ]]; then
        prev="${cur%%=*}" pre="${cur%%=*}=" cur="${cur#*=}"
    elif [[ $cur == -[!-]?* ]]; then
        case "${cur:0:2}" in
        -O | -f | -j | -m | -o | -p | -s | -t) prev="${cur:0:2}" pre="${cur:0:2}" cur="${cur:2}" ;;
        esac
    fi
    _llmcli_complete
    ((${#head})) && COMPREPLY=("${COMPREPLY[@]#"$head"}")
}

_llmcli_complete() {
    # The command: the first word that is no option and no option's value; ask without one.
    local skip=0
    for ((i = 1; i < ${#line[@]} - 1; i++)); do
        if ((skip)); then skip=0; continue; fi
        case "${line[i]}" in
        --base-url|--block|--by|--cluster|--connect-timeout|--deadline|--delimiter|--file|--files|--format|--header|--idle-timeout|--jobs|--max-cost|--max-input|--max-tokens|--max-turns|--messages|--model|--option|--output|--param|--profile|--reasoning|--repair|--requests|--retries|--rpm|--save-messages|--schema|--seed|--session|--since|--stop|--system|--tag|--temperature|--template|--tool-result|--tools|--top-p|--tpm|--until|--usage-file|-O|-f|-j|-m|-o|-p|-s|-t) skip=1 ;;
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
    --format) _llmcli_formats; return ;;
    -m|--model) _llmcli_models; return ;;
    --profile) _llmcli_profiles; return ;;
    --session) _llmcli_sessions; return ;;
    -t|--template) _llmcli_templates; return ;;
    --by) _llmcli_units; return ;;
    -p|--param) _llmcli_variables; return ;;
    --base-url|--block|--cluster|--connect-timeout|--deadline|--delimiter|--files|--header|--idle-timeout|--jobs|--max-cost|--max-input|--max-tokens|--max-turns|--option|--repair|--retries|--rpm|--seed|--since|--stop|--tag|--temperature|--tool-result|--top-p|--tpm|--until|-j|-o) return ;;
    esac
    if ((${#line[@]} == 2)) && [[ $cur != -* ]]; then
        words='ask map models usage config local session template help completion'
    else
        case "$command" in ask|map|models|usage|config|local|session|template|help|completion|*' '*) ;; *) command=ask ;; esac
        case "$command" in
    'ask') words='-n --no-stdin -f --file -s --system -t --template -p --param --max-input --session -c --continue --messages --save-messages --tool-result --tools --run-tools --approve --strict-tools --max-turns --schema --repair -x --extract --block --yes-no -m --model --temperature --max-tokens --top-p --stop --seed --reasoning -o --option --no-stream --profile --base-url --header --connect-timeout --idle-timeout --deadline --retries --max-cost --tag --no-ledger --json --events -O --output --no-newline -q --quiet -v --verbose --usage-file --show-reasoning --allow-cut --dry-run --curl -h --help' ;;
    'map') words='-n --no-stdin -f --file -s --system -t --template -p --param --max-input --format --delimiter -0 --null --files --requests -j --jobs --rpm --tpm --cluster --batch --detach --cancel --json --csv --one-line -O --output --resume --restart --retry-failed --unordered -q --quiet -v --verbose --allow-cut --dry-run --tools --run-tools --approve --strict-tools --max-turns --schema --repair -x --extract --block --yes-no -m --model --temperature --max-tokens --top-p --stop --seed --reasoning -o --option --no-stream --profile --base-url --header --connect-timeout --idle-timeout --deadline --retries --max-cost --tag --no-ledger -h --help' ;;
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
    'help') words='-h --help' ; [[ $cur == -* ]] || _llmcli_topics ;;
    'completion') words='-h --help' ; [[ $cur == -* ]] || _llmcli_shells ;;
        esac
    fi
    [[ $cur == -* || -z $command || $command != ask ]] && [[ -z $pre ]] && _llmcli_offer $words
}

complete -F _llmcli llmcli
