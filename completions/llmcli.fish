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
    string split ' ' 'cline openai azure openrouter anthropic gemini groq mistral deepseek xai together ollama lmstudio llama.cpp'
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

function __llmcli_efforts
    string split ' ' 'none low medium high'
end

function __llmcli_formats
    string split ' ' 'lines jsonl csv'
end

function __llmcli_units
    string split ' ' 'day week month model tag session profile command'
end

function __llmcli_shells
    string split ' ' 'bash zsh fish'
end

function __llmcli_topics
    string split ' ' 'start keys providers prompts options settings exit-codes retries json sessions templates schema tools map batch cluster money cron recipes commit-hook nightly-report enrich-csv embedded install benchmarks ask models usage config local session template help completion'
end

function __llmcli_at_files
    set -l word (string replace -r '^(--[a-z-]*=|-[a-z])' '' -- (commandline -ct))
    string match -q '@*' -- $word; or return
    for file in (string sub -s 2 -- $word)*
        echo @$file
    end
end

# The variables of the template that the line names.
function __llmcli_variables
    set -l line (commandline -op)
    set -l name
    for i in (seq 2 (count $line))
        switch $line[$i]
            case -t --template
                set name $line[(math $i + 1)]
            case '--template=*'
                set name (string replace -r '^[^=]*=' '' -- $line[$i])
            case '-t*'
                set name (string sub -s 3 -- $line[$i])
        end
    end
    set -l base $HOME/.config
    set -q XDG_CONFIG_HOME; and set base $XDG_CONFIG_HOME
    set -l file $base/llmcli/templates/$name.toml
    string match -q '*/*' -- $name; and set file $name
    test -f "$file" -a -r "$file"; or return
    string replace -ra '\{\{' '' <$file | string match -rag '\{([A-Za-z_]\w*)\}' \
        | string match -rv '^(stdin|prompt)$' | sort -u | string replace -r '$' '='
end

# The command stands first; without one it is ask.
function __llmcli_first
    test (count (commandline -opc)) -eq 1
end

function __llmcli_in
    set -l words (commandline -opc)
    set -e words[1]
    if not contains -- "$words[1]" ask map models usage config local session template help completion
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
complete -c llmcli -n __llmcli_first -a ask -d 'Stream one completion to stdout. This is the default command.'
complete -c llmcli -n __llmcli_first -a map -d 'Ask the model once for each line, record or file of the input.'
complete -c llmcli -n __llmcli_first -a models -d 'Print the models of the endpoint: context, prices, features.'
complete -c llmcli -n __llmcli_first -a usage -d 'Print what was spent, summed by day, model, tag and the like.'
complete -c llmcli -n __llmcli_first -a config -d 'Show where settings come from, and check that they work.'
complete -c llmcli -n '__llmcli_group config' -a path -d 'Print the path of config.toml, which need not exist.'
complete -c llmcli -n '__llmcli_group config' -a show -d 'Print every setting with its value and where that comes from.'
complete -c llmcli -n '__llmcli_group config' -a check -d 'Say what works, what does not, and how to mend it.'
complete -c llmcli -n __llmcli_first -a local -d 'Fetch, list and remove the embedded model, which needs no key.'
complete -c llmcli -n '__llmcli_group local' -a pull -d 'Fetch the weights now and print their path.'
complete -c llmcli -n '__llmcli_group local' -a list -d 'Print the embedded models on this machine.'
complete -c llmcli -n '__llmcli_group local' -a remove -d 'Remove the weights from this machine. The next use fetches them again.'
complete -c llmcli -n __llmcli_first -a session -d 'List, show, export and remove conversations of `ask --session`.'
complete -c llmcli -n '__llmcli_group session' -a list -d 'Print the sessions, the most recently used first.'
complete -c llmcli -n '__llmcli_group session' -a show -d 'Print a conversation.'
complete -c llmcli -n '__llmcli_group session' -a export -d 'Print a conversation for `ask --messages`.'
complete -c llmcli -n '__llmcli_group session' -a remove -d 'Remove conversations.'
complete -c llmcli -n __llmcli_first -a template -d 'List, show and edit saved prompts, for `ask -t NAME`.'
complete -c llmcli -n '__llmcli_group template' -a list -d 'Print the templates.'
complete -c llmcli -n '__llmcli_group template' -a show -d 'Print a template as it stands in its file.'
complete -c llmcli -n '__llmcli_group template' -a edit -d 'Open a template, new or not, in $EDITOR, and check it.'
complete -c llmcli -n __llmcli_first -a help -d 'Print a page of the manual, or the help of a command.'
complete -c llmcli -n __llmcli_first -a completion -d 'Print the script that completes the command line in a shell.'
complete -c llmcli -n '__llmcli_in ask' -s n -l no-stdin -d 'Never touch stdin (for loops).'
complete -c llmcli -n '__llmcli_in ask' -s f -l file -r -F -d 'Add a text, image, PDF or sound file; - is stdin.'
complete -c llmcli -n '__llmcli_in ask' -s s -l system -x -a '(__llmcli_at_files)' -d 'System message.'
complete -c llmcli -n '__llmcli_in ask' -s t -l template -x -a '(__llmcli_templates)' -d 'A saved prompt.'
complete -c llmcli -n '__llmcli_in ask' -s p -l param -x -a '(__llmcli_variables)' -d 'Variable of the template. Repeatable.'
complete -c llmcli -n '__llmcli_in ask' -l max-input -x -d 'Refuse input beyond this size.'
complete -c llmcli -n '__llmcli_in ask' -l session -x -a '(__llmcli_sessions)' -d 'Keep the conversation under this name.'
complete -c llmcli -n '__llmcli_in ask' -s c -l continue -d 'Go on with the last session of this terminal.'
complete -c llmcli -n '__llmcli_in ask' -l messages -r -F -d 'A whole conversation as JSON.'
complete -c llmcli -n '__llmcli_in ask' -l save-messages -r -F -d 'Write the conversation for --messages.'
complete -c llmcli -n '__llmcli_in ask' -l tool-result -x -d 'Answer a tool call of the conversation. Repeatable.'
complete -c llmcli -n '__llmcli_in ask' -l tools -r -F -d 'Tools the model may call, as JSON.'
complete -c llmcli -n '__llmcli_in ask' -l run-tools -d 'Run the command of a tool that is called.'
complete -c llmcli -n '__llmcli_in ask' -l approve -d 'Ask at the terminal before each call.'
complete -c llmcli -n '__llmcli_in ask' -l strict-tools -d 'A tool that fails ends the run.'
complete -c llmcli -n '__llmcli_in ask' -l max-turns -x -d 'Most requests while tools are run.'
complete -c llmcli -n '__llmcli_in ask' -l schema -r -F -d 'The answer is JSON that fits this schema.'
complete -c llmcli -n '__llmcli_in ask' -l repair -x -d 'Times to ask again if the answer does not fit.'
complete -c llmcli -n '__llmcli_in ask' -s x -l extract -d 'Only the first fenced block of the answer.'
complete -c llmcli -n '__llmcli_in ask' -l block -x -d 'Only this fenced block of the answer.'
complete -c llmcli -n '__llmcli_in ask' -l yes-no -d 'The exit code answers: 0 yes, 1 no.'
complete -c llmcli -n '__llmcli_in ask' -s m -l model -x -a '(__llmcli_models)' -d 'Model id, or local/PATH for a GGUF file.'
complete -c llmcli -n '__llmcli_in ask' -l temperature -x -d 'Sampling temperature.'
complete -c llmcli -n '__llmcli_in ask' -l max-tokens -x -d 'Most tokens to answer with.'
complete -c llmcli -n '__llmcli_in ask' -l top-p -x -d 'Nucleus sampling.'
complete -c llmcli -n '__llmcli_in ask' -l stop -x -d 'Text that ends the answer. Repeatable.'
complete -c llmcli -n '__llmcli_in ask' -l seed -x -d 'Seed for sampling.'
complete -c llmcli -n '__llmcli_in ask' -l reasoning -x -a '(__llmcli_efforts)' -d 'none, low, medium or high, or a number of tokens.'
complete -c llmcli -n '__llmcli_in ask' -s o -l option -x -d 'Any other body field, as JSON or text. Repeatable.'
complete -c llmcli -n '__llmcli_in ask' -l no-stream -d 'Ask for the answer in one piece.'
complete -c llmcli -n '__llmcli_in ask' -l profile -x -a '(__llmcli_profiles)' -d 'A profile of config.toml, or a provider.'
complete -c llmcli -n '__llmcli_in ask' -l base-url -x -d 'Endpoint, without /chat/completions.'
complete -c llmcli -n '__llmcli_in ask' -l header -x -d 'Further request header, or NAME: VALUE. Repeatable.'
complete -c llmcli -n '__llmcli_in ask' -l connect-timeout -x -d 'Time limit to connect. [10s]'
complete -c llmcli -n '__llmcli_in ask' -l idle-timeout -x -d 'Time limit of silence. [60s; 5m with --no-stream]'
complete -c llmcli -n '__llmcli_in ask' -l deadline -x -d 'Time limit of the run, or of each record of map; 0: none. [1h]'
complete -c llmcli -n '__llmcli_in ask' -l retries -x -d 'Times to try again after a temporary failure. [3]'
complete -c llmcli -n '__llmcli_in ask' -l max-cost -x -d 'Send nothing that could cost more than this.'
complete -c llmcli -n '__llmcli_in ask' -l tag -x -d 'Name in the ledger and for budgets.'
complete -c llmcli -n '__llmcli_in ask' -l no-ledger -d 'Do not record what this costs.'
complete -c llmcli -n '__llmcli_in ask' -l json -d 'One JSON object on stdout.'
complete -c llmcli -n '__llmcli_in ask' -l events -d 'One JSON object a line as things happen.'
complete -c llmcli -n '__llmcli_in ask' -s O -l output -r -F -d 'Write here; replaced only on success.'
complete -c llmcli -n '__llmcli_in ask' -l no-newline -d 'Do not end the answer with a newline.'
complete -c llmcli -n '__llmcli_in ask' -s q -l quiet -d 'No usage line, no warnings.'
complete -c llmcli -n '__llmcli_in ask' -s v -l verbose -d 'Show URL, status, request id and times.'
complete -c llmcli -n '__llmcli_in ask' -l usage-file -r -F -d 'Append usage as one JSON line.'
complete -c llmcli -n '__llmcli_in ask' -l show-reasoning -d 'Show reasoning on stderr even if it is not a terminal.'
complete -c llmcli -n '__llmcli_in ask' -l allow-cut -d 'An answer cut by its length is fine.'
complete -c llmcli -n '__llmcli_in ask' -l dry-run -d 'Print the request body; send nothing.'
complete -c llmcli -n '__llmcli_in ask' -l curl -d 'Print a curl command; send nothing.'
complete -c llmcli -n '__llmcli_in ask' -s h -l help -d 'Show this message and exit.'
complete -c llmcli -n '__llmcli_in map' -s n -l no-stdin -d 'Never touch stdin (for loops).'
complete -c llmcli -n '__llmcli_in map' -s f -l file -r -F -d 'Add a text, image, PDF or sound file; - is stdin.'
complete -c llmcli -n '__llmcli_in map' -s s -l system -x -a '(__llmcli_at_files)' -d 'System message.'
complete -c llmcli -n '__llmcli_in map' -s t -l template -x -a '(__llmcli_templates)' -d 'A saved prompt.'
complete -c llmcli -n '__llmcli_in map' -s p -l param -x -a '(__llmcli_variables)' -d 'Variable of the template. Repeatable.'
complete -c llmcli -n '__llmcli_in map' -l max-input -x -d 'Refuse input beyond this size.'
complete -c llmcli -n '__llmcli_in map' -l format -x -a '(__llmcli_formats)' -d 'lines, jsonl or csv. [lines; by content if PROMPT has {field}]'
complete -c llmcli -n '__llmcli_in map' -l delimiter -x -d 'What parts the columns of CSV. [,]'
complete -c llmcli -n '__llmcli_in map' -s 0 -l null -d 'Records end with NUL, not newline.'
complete -c llmcli -n '__llmcli_in map' -l files -x -d 'Each file that matches is a record. Repeatable.'
complete -c llmcli -n '__llmcli_in map' -l requests -r -F -d 'OpenAI batch file; batch format comes out.'
complete -c llmcli -n '__llmcli_in map' -s j -l jobs -x -d 'Records asked at once by a worker.'
complete -c llmcli -n '__llmcli_in map' -l rpm -x -d 'Most requests a minute.'
complete -c llmcli -n '__llmcli_in map' -l tpm -x -d 'Most tokens a minute.'
complete -c llmcli -n '__llmcli_in map' -l cluster -x -d 'Workers of a Dask cluster, or N processes of this machine.'
complete -c llmcli -n '__llmcli_in map' -l batch -d 'Ask as a batch: cheaper, within a day. Needs -O.'
complete -c llmcli -n '__llmcli_in map' -l detach -d 'Send the batch and end; --resume fetches it.'
complete -c llmcli -n '__llmcli_in map' -l cancel -d 'End the batch of FILE, at the server as well.'
complete -c llmcli -n '__llmcli_in map' -l json -d 'One JSON object a record.'
complete -c llmcli -n '__llmcli_in map' -l csv -d 'The columns of the input, then answer, ok, error, cost_usd.'
complete -c llmcli -n '__llmcli_in map' -l one-line -d 'One line an answer: line ends as \n, backslashes as \\.'
complete -c llmcli -n '__llmcli_in map' -s O -l output -r -F -d 'Keep the answers here.'
complete -c llmcli -n '__llmcli_in map' -l resume -d 'Go on with FILE: only what has no answer there.'
complete -c llmcli -n '__llmcli_in map' -l restart -d 'Begin anew, even if FILE has a run that did not end.'
complete -c llmcli -n '__llmcli_in map' -l retry-failed -d 'Only what has failed in FILE, all of it.'
complete -c llmcli -n '__llmcli_in map' -l unordered -d 'Answers as they come, not in the order of the input.'
complete -c llmcli -n '__llmcli_in map' -s q -l quiet -d 'No summary, no warnings.'
complete -c llmcli -n '__llmcli_in map' -s v -l verbose -d 'Show each request, retry and failure.'
complete -c llmcli -n '__llmcli_in map' -l allow-cut -d 'An answer cut by its length is fine.'
complete -c llmcli -n '__llmcli_in map' -l dry-run -d 'Say how many requests and what cost; send nothing.'
complete -c llmcli -n '__llmcli_in map' -l tools -r -F -d 'Tools the model may call, as JSON.'
complete -c llmcli -n '__llmcli_in map' -l run-tools -d 'Run the command of a tool that is called.'
complete -c llmcli -n '__llmcli_in map' -l approve -d 'Ask at the terminal before each call.'
complete -c llmcli -n '__llmcli_in map' -l strict-tools -d 'A tool that fails ends the run.'
complete -c llmcli -n '__llmcli_in map' -l max-turns -x -d 'Most requests while tools are run.'
complete -c llmcli -n '__llmcli_in map' -l schema -r -F -d 'The answer is JSON that fits this schema.'
complete -c llmcli -n '__llmcli_in map' -l repair -x -d 'Times to ask again if the answer does not fit.'
complete -c llmcli -n '__llmcli_in map' -s x -l extract -d 'Only the first fenced block of the answer.'
complete -c llmcli -n '__llmcli_in map' -l block -x -d 'Only this fenced block of the answer.'
complete -c llmcli -n '__llmcli_in map' -l yes-no -d 'The exit code answers: 0 yes, 1 no.'
complete -c llmcli -n '__llmcli_in map' -s m -l model -x -a '(__llmcli_models)' -d 'Model id, or local/PATH for a GGUF file.'
complete -c llmcli -n '__llmcli_in map' -l temperature -x -d 'Sampling temperature.'
complete -c llmcli -n '__llmcli_in map' -l max-tokens -x -d 'Most tokens to answer with.'
complete -c llmcli -n '__llmcli_in map' -l top-p -x -d 'Nucleus sampling.'
complete -c llmcli -n '__llmcli_in map' -l stop -x -d 'Text that ends the answer. Repeatable.'
complete -c llmcli -n '__llmcli_in map' -l seed -x -d 'Seed for sampling.'
complete -c llmcli -n '__llmcli_in map' -l reasoning -x -a '(__llmcli_efforts)' -d 'none, low, medium or high, or a number of tokens.'
complete -c llmcli -n '__llmcli_in map' -s o -l option -x -d 'Any other body field, as JSON or text. Repeatable.'
complete -c llmcli -n '__llmcli_in map' -l no-stream -d 'Ask for the answer in one piece.'
complete -c llmcli -n '__llmcli_in map' -l profile -x -a '(__llmcli_profiles)' -d 'A profile of config.toml, or a provider.'
complete -c llmcli -n '__llmcli_in map' -l base-url -x -d 'Endpoint, without /chat/completions.'
complete -c llmcli -n '__llmcli_in map' -l header -x -d 'Further request header, or NAME: VALUE. Repeatable.'
complete -c llmcli -n '__llmcli_in map' -l connect-timeout -x -d 'Time limit to connect. [10s]'
complete -c llmcli -n '__llmcli_in map' -l idle-timeout -x -d 'Time limit of silence. [60s; 5m with --no-stream]'
complete -c llmcli -n '__llmcli_in map' -l deadline -x -d 'Time limit of the run, or of each record of map; 0: none. [1h]'
complete -c llmcli -n '__llmcli_in map' -l retries -x -d 'Times to try again after a temporary failure. [3]'
complete -c llmcli -n '__llmcli_in map' -l max-cost -x -d 'Send nothing that could cost more than this.'
complete -c llmcli -n '__llmcli_in map' -l tag -x -d 'Name in the ledger and for budgets.'
complete -c llmcli -n '__llmcli_in map' -l no-ledger -d 'Do not record what this costs.'
complete -c llmcli -n '__llmcli_in map' -s h -l help -d 'Show this message and exit.'
complete -c llmcli -n '__llmcli_in models' -l free -d 'Only those that cost nothing.'
complete -c llmcli -n '__llmcli_in models' -l takes -d 'Only those that take it. Repeatable.'
complete -c llmcli -n '__llmcli_in models' -l sort -d 'By id, price, or context (largest first).'
complete -c llmcli -n '__llmcli_in models' -l refresh -d 'Ask the endpoint now.'
complete -c llmcli -n '__llmcli_in models' -l json -d 'As JSON.'
complete -c llmcli -n '__llmcli_in models' -l profile -x -a '(__llmcli_profiles)' -d 'A profile, or a provider.'
complete -c llmcli -n '__llmcli_in models' -l base-url -x -d 'Endpoint to ask.'
complete -c llmcli -n '__llmcli_in models' -s h -l help -d 'Show this message and exit.'
complete -c llmcli -n '__llmcli_in usage' -l since -x -d '2026-11-24, 2026-11, 7d. [30d]'
complete -c llmcli -n '__llmcli_in usage' -l until -x -d 'The last day. [today]'
complete -c llmcli -n '__llmcli_in usage' -l by -x -a '(__llmcli_units)' -d 'What to sum by: day, week, month, model, tag, session, profile, command.'
complete -c llmcli -n '__llmcli_in usage' -l json -d 'As JSON.'
complete -c llmcli -n '__llmcli_in usage' -l csv -d 'As CSV with a heading.'
complete -c llmcli -n '__llmcli_in usage' -s h -l help -d 'Show this message and exit.'
complete -c llmcli -n '__llmcli_in config path' -s h -l help -d 'Show this message and exit.'
complete -c llmcli -n '__llmcli_in config show' -l profile -x -a '(__llmcli_profiles)' -d 'A profile, or a provider.'
complete -c llmcli -n '__llmcli_in config show' -l json -d 'As JSON.'
complete -c llmcli -n '__llmcli_in config show' -s h -l help -d 'Show this message and exit.'
complete -c llmcli -n '__llmcli_in config check' -l profile -x -a '(__llmcli_profiles)' -d 'A profile, or a provider.'
complete -c llmcli -n '__llmcli_in config check' -l base-url -x -d 'Endpoint to look at.'
complete -c llmcli -n '__llmcli_in config check' -s m -l model -x -a '(__llmcli_models)' -d 'Model to look at.'
complete -c llmcli -n '__llmcli_in config check' -s h -l help -d 'Show this message and exit.'
complete -c llmcli -n '__llmcli_in local pull' -s h -l help -d 'Show this message and exit.'
complete -c llmcli -n '__llmcli_in local list' -s h -l help -d 'Show this message and exit.'
complete -c llmcli -n '__llmcli_in local remove' -s h -l help -d 'Show this message and exit.'
complete -c llmcli -n '__llmcli_in session list' -l json -d 'As JSON.'
complete -c llmcli -n '__llmcli_in session list' -s h -l help -d 'Show this message and exit.'
complete -c llmcli -n '__llmcli_in session show' -a '(__llmcli_sessions)'
complete -c llmcli -n '__llmcli_in session show' -l json -d 'As JSON.'
complete -c llmcli -n '__llmcli_in session show' -s h -l help -d 'Show this message and exit.'
complete -c llmcli -n '__llmcli_in session export' -a '(__llmcli_sessions)'
complete -c llmcli -n '__llmcli_in session export' -s h -l help -d 'Show this message and exit.'
complete -c llmcli -n '__llmcli_in session remove' -a '(__llmcli_sessions)'
complete -c llmcli -n '__llmcli_in session remove' -s h -l help -d 'Show this message and exit.'
complete -c llmcli -n '__llmcli_in template list' -s h -l help -d 'Show this message and exit.'
complete -c llmcli -n '__llmcli_in template show' -a '(__llmcli_templates)'
complete -c llmcli -n '__llmcli_in template show' -s h -l help -d 'Show this message and exit.'
complete -c llmcli -n '__llmcli_in template edit' -a '(__llmcli_templates)'
complete -c llmcli -n '__llmcli_in template edit' -s h -l help -d 'Show this message and exit.'
complete -c llmcli -n '__llmcli_in help' -a '(__llmcli_topics)'
complete -c llmcli -n '__llmcli_in help' -s h -l help -d 'Show this message and exit.'
complete -c llmcli -n '__llmcli_in completion' -a '(__llmcli_shells)'
complete -c llmcli -n '__llmcli_in completion' -s h -l help -d 'Show this message and exit.'
