# bash completion for llmcli. Generated: `python -m tests.generated` rewrites it.
# Reads local files only: no program but the shell is started.

_llmcli_config="${LLMCLI_CONFIG:-${XDG_CONFIG_HOME:-$HOME/.config}/llmcli/config.toml}"

# Offer the words given that begin with the current one. `pre` is the option that is joined to a
# value, as in --model=x and -mx. bash takes what stands before = and : as given.
_llmcli_offer() {
    local word
    for word in "$$@"; do
        [[ $$word == "$$cur"* ]] && COMPREPLY+=("$${pre}$${word}")
    done
}

_llmcli_files() {
    local file
    compopt -o filenames 2>/dev/null
    while IFS= read -r file; do COMPREPLY+=("$$pre$$file"); done < <(compgen -f -- "$$cur")
}

_llmcli_at_files() {
    [[ $$cur == @* ]] || return
    local file
    compopt -o nospace 2>/dev/null
    while IFS= read -r file; do COMPREPLY+=("$$pre@$$file"); done < <(compgen -f -- "$${cur#@}")
}

# The variables of the template that the line names.
_llmcli_variables() {
    local i name='' text file
    for ((i = 1; i < $${#line[@]} - 1; i++)); do
        case "$${line[i]}" in
        -t | --template) name="$${line[i + 1]}" ;;
        --template=*) name="$${line[i]#*=}" ;;
        -t*) name="$${line[i]#-t}" ;;
        esac
    done
    file="$$name"
    [[ $$name == */* ]] || file="$${XDG_CONFIG_HOME:-$$HOME/.config}/llmcli/templates/$$name.toml"
    [[ $$name && -f $$file && -r $$file ]] || return
    compopt -o nospace 2>/dev/null
    text="$$(< "$$file")"
    text="$${text//\{\{/}"
    while [[ $$text =~ \{([A-Za-z_][A-Za-z0-9_]*)\} ]]; do
        text="$${text#*"$${BASH_REMATCH[0]}"}"
        name="$${BASH_REMATCH[1]}"
        [[ $$name == stdin || $$name == prompt || " $${COMPREPLY[*]} " == *" $$pre$$name= "* ]] ||
            _llmcli_offer "$$name="
    done
}

# Each provider is a profile by its name.
_llmcli_profiles() {
    local line
    _llmcli_offer ${providers}
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

${static}

_llmcli() {
    local cur='' prev='' pre='' words='' command='' head='' breaks i
    COMPREPLY=()
    # bash splits words at = : @ as well, which are parts of ours. It replaces what follows the last
    # = or :, but all of a word that begins with @.
    local -a line=()
    read -ra line <<< "$${COMP_LINE:0:COMP_POINT}"
    [[ $${COMP_LINE:0:COMP_POINT} == *[[:space:]] ]] && line+=('')
    cur="$${line[$${#line[@]} - 1]}"
    breaks="$${COMP_WORDBREAKS//[^=:]/}"
    [[ $$breaks ]] && head="$${cur%"$${cur##*[$$breaks]}"}"
    (($${#line[@]} > 1)) && prev="$${line[$${#line[@]} - 2]}"
    if [[ $$cur == --*=* ]]; then
        prev="$${cur%%=*}" pre="$${cur%%=*}=" cur="$${cur#*=}"
    elif [[ $$cur == -[!-]?* ]]; then
        case "$${cur:0:2}" in
        ${short_taking}) prev="$${cur:0:2}" pre="$${cur:0:2}" cur="$${cur:2}" ;;
        esac
    fi
    _llmcli_complete
    (($${#head})) && COMPREPLY=("$${COMPREPLY[@]#"$$head"}")
}

_llmcli_complete() {
    # The command: the first word that is no option and no option's value; ask without one.
    local skip=0
    for ((i = 1; i < ${#line[@]} - 1; i++)); do
        if ((skip)); then skip=0; continue; fi
        case "${line[i]}" in
        ${taking}) skip=1 ;;
        -*) ;;
        ${groups})
            [[ -z $command ]] && { command="${line[i]}"; continue; }
            break ;;
        *)
            case "$command" in
            ${groups}) command+=" ${line[i]}" ;;
            '') command="${line[i]}" ;;
            esac
            break ;;
        esac
    done

    case "$prev" in
${values}
    esac
    if ((${#line[@]} == 2)) && [[ $cur != -* ]]; then
        words='${commands}'
    else
        case "$command" in ${commands_or}|*' '*) ;; *) command=ask ;; esac
        case "$command" in
${cases}
        esac
    fi
    [[ $cur == -* || -z $command || $command != ask ]] && [[ -z $pre ]] && _llmcli_offer $words
}

complete -F _llmcli llmcli
