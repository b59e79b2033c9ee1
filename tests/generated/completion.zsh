#compdef llmcli
# zsh completion for llmcli. Generated: `python -m tests.generated` rewrites it.
# Reads local files only: no program but the shell is started.

_llmcli_config_file() {
  REPLY=${LLMCLI_CONFIG:-${XDG_CONFIG_HOME:-$HOME/.config}/llmcli/config.toml}
}

_llmcli_at_files() {
  compset -P '@' && _files
}

# Each provider is a profile by its name.
_llmcli_profiles() {
  local REPLY line
  local -aU names
  local -a match
  names=(${providers})
  _llmcli_config_file
  if [[ -r $REPLY ]]; then
    while IFS= read -r line; do
      [[ $line =~ '^[[:space:]]*\[profiles\."?([^]."]+)"?\]' ]] && names+=($match[1])
    done < $REPLY
  fi
  compadd -- $names
}

_llmcli_models() {
  local REPLY line file
  local -a names match
  names=(local)
  _llmcli_config_file
  if [[ -r $REPLY ]]; then
    while IFS= read -r line; do
      [[ $line =~ "^[[:space:]]*model[[:space:]]*=[[:space:]]*[\"']([^\"']+)" ]] && names+=($match[1])
    done < $REPLY
  fi
  for file in ${XDG_CACHE_HOME:-$HOME/.cache}/llmcli/models/*.txt(N); do
    names+=(${(f)"$(<$file)"})
  done
  compadd -- $names
}

_llmcli_templates() {
  local -a files
  files=(${XDG_CONFIG_HOME:-$HOME/.config}/llmcli/templates/*.toml(N:t:r))
  compadd -- $files
}

_llmcli_sessions() {
  local -a files
  files=(${XDG_STATE_HOME:-$HOME/.local/state}/llmcli/sessions/*.jsonl(N:t:r))
  compadd -- $files
}

# The variables of the template that the line names.
_llmcli_variables() {
  local name=${opt_args[-t]:-${opt_args[--template]}} text file
  local -a names match
  name=${(Q)name}
  file=$name
  [[ $name == */* ]] || file=${XDG_CONFIG_HOME:-$HOME/.config}/llmcli/templates/$name.toml
  [[ -n $name && -f $file && -r $file ]] || return 1
  text=${"$(<$file)"//'{{'/}
  while [[ $text =~ '\{([A-Za-z_][A-Za-z0-9_]*)\}' ]]; do
    text=${text#*"{$match[1]}"}
    [[ $match[1] == (stdin|prompt) ]] || names+=($match[1]=)
  done
  compadd -S '' -- ${(u)names}
}

${static}

${functions}

_llmcli() {
  local -a entries
  if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then
    entries=(
${top}
    )
    _describe command entries
    return
  fi
  local command=$words[2] group
  case $command in
${groups}
    ${commands_or}) ;;
    *) _llmcli_do_ask; return ;;
  esac
  shift words
  (( CURRENT-- ))
  if (( $#entries == 0 )); then
    _llmcli_do_$command
  elif (( CURRENT == 2 )); then
    _describe command entries
  else
    group=$command command=$words[2]
    shift words
    (( CURRENT-- ))
    (( $+functions[_llmcli_do_${group}_$command] )) && _llmcli_do_${group}_$command
  fi
}

if [[ $funcstack[1] == _llmcli ]]; then
  _llmcli "$@"
else
  compdef _llmcli llmcli
fi
