# fish completion for llmcli. Generated: `python -m tests.generated` rewrites it.
# Reads local files only: no program but the shell is started.

function __llmcli_config_file
    if set -q LLMCLI_CONFIG
        echo $LLMCLI_CONFIG
    else if set -q XDG_CONFIG_HOME
        echo $XDG_CONFIG_HOME/llmcli/config.toml
    else
        echo $HOME/.config/llmcli/config.toml
    end
end

# Each provider is a profile by its name.
function __llmcli_profiles
    string split ' ' '${providers}'
    set -l file (__llmcli_config_file)
    test -r $file; or return
    string match -rg '^\s*\[profiles\."?([^\]."]+)"?\]' <$file
end

function __llmcli_models
    echo local
    set -l file (__llmcli_config_file)
    test -r $file; and string match -rg '^\s*model\s*=\s*["\']([^"\']+)' <$file
    set -l cache $HOME/.cache
    set -q XDG_CACHE_HOME; and set cache $XDG_CACHE_HOME
    for list in $cache/llmcli/models/*.txt
        string split \n <$list
    end
end

function __llmcli_templates
    set -l base $HOME/.config
    set -q XDG_CONFIG_HOME; and set base $XDG_CONFIG_HOME
    for file in $base/llmcli/templates/*.toml
        string replace -r '.*/(.*)\.toml$' '$1' $file
    end
end

function __llmcli_sessions
    set -l base $HOME/.local/state
    set -q XDG_STATE_HOME; and set base $XDG_STATE_HOME
    for file in $base/llmcli/sessions/*.jsonl
        string replace -r '.*/(.*)\.jsonl$' '$1' $file
    end
end

${static}

function __llmcli_at_files
    set -l word (string replace -r '^(--[a-z-]*=|-[a-z])' '' -- (commandline -ct))
    string match -q '@*' -- $$word; or return
    for file in (string sub -s 2 -- $$word)*
        echo @$$file
    end
end

# The variables of the template that the line names.
function __llmcli_variables
    set -l line (commandline -op)
    set -l name
    for i in (seq 2 (count $$line))
        switch $$line[$$i]
            case -t --template
                set name $$line[(math $$i + 1)]
            case '--template=*'
                set name (string replace -r '^[^=]*=' '' -- $$line[$$i])
            case '-t*'
                set name (string sub -s 3 -- $$line[$$i])
        end
    end
    set -l base $$HOME/.config
    set -q XDG_CONFIG_HOME; and set base $$XDG_CONFIG_HOME
    set -l file $$base/llmcli/templates/$$name.toml
    string match -q '*/*' -- $$name; and set file $$name
    test -f "$$file" -a -r "$$file"; or return
    string replace -ra '\{\{' '' <$$file | string match -rag '\{([A-Za-z_]\w*)\}' \
        | string match -rv '^(stdin|prompt)$$' | sort -u | string replace -r '$$' '='
end

# The command stands first; without one it is ask.
function __llmcli_first
    test (count (commandline -opc)) -eq 1
end

function __llmcli_in
    set -l words (commandline -opc)
    set -e words[1]
    if not contains -- "$words[1]" ${commands}
        set -p words ask
    end
    set -l depth (count $argv)
    test "$words[1..$depth]" = "$argv"
end

# A group whose subcommand is still to come.
function __llmcli_group
    set -l words (commandline -opc)
    test (count $words) -eq 2 -a "$words[2]" = "$argv[1]"
end

complete -c llmcli -f
${lines}
