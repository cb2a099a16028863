# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_damctl_global_optspecs
    string join \n C/archive= log-format= h/help V/version
end

function __fish_damctl_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_damctl_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_damctl_using_subcommand
    set -l cmd (__fish_damctl_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c damctl -n "__fish_damctl_needs_command" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_needs_command" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_needs_command" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_needs_command" -f -a "init" -d 'Makes an archive in a folder: its configuration, catalog and store. Done again, it changes nothing'
complete -c damctl -n "__fish_damctl_needs_command" -f -a "config" -d 'Tells about the configuration'
complete -c damctl -n "__fish_damctl_needs_command" -f -a "doctor" -d 'Tells which codecs, plugins and tools are here, what each missing one costs, and how to get it'
complete -c damctl -n "__fish_damctl_needs_command" -f -a "ingest" -d 'Takes drives, folders or files in: reads each byte once, keeps it, and accounts for every path'
complete -c damctl -n "__fish_damctl_needs_command" -f -a "drives" -d 'Lists the drives that were taken in: what each is, where, when it was last looked at, and what it gave'
complete -c damctl -n "__fish_damctl_needs_command" -f -a "certificate" -d 'Certifies what became of every path on a drive, so that it may be wiped, or not.'
complete -c damctl -n "__fish_damctl_needs_command" -f -a "presign" -d 'Announces a file that somebody else will send, and gives the addresses to send it to'
complete -c damctl -n "__fish_damctl_needs_command" -f -a "receive" -d 'Takes in what has arrived of the files that were announced'
complete -c damctl -n "__fish_damctl_needs_command" -f -a "transcode" -d 'Makes the renditions that the profile wants and the archive lacks'
complete -c damctl -n "__fish_damctl_needs_command" -f -a "enrich" -d 'Learns what is said, shown, seen and named in what the archive has'
complete -c damctl -n "__fish_damctl_needs_command" -f -a "models" -d 'Gets, lists and verifies the models that learning needs'
complete -c damctl -n "__fish_damctl_needs_command" -f -a "infer" -d 'Answers one question after the other about sound and pictures, with models that stay loaded: the process that `damctl enrich` starts'
complete -c damctl -n "__fish_damctl_needs_command" -f -a "replace" -d 'Puts another file in the place of an asset\'s main file'
complete -c damctl -n "__fish_damctl_needs_command" -f -a "rollback" -d 'Brings an earlier generation of an asset back, at once; gives up one that waits'
complete -c damctl -n "__fish_damctl_needs_command" -f -a "replicate" -d 'Copies into each of the setting `replicas` what it lacks of the masters, and reads there what was copied'
complete -c damctl -n "__fish_damctl_needs_command" -f -a "archive" -d 'Moves the masters of assets out of the hot area; their renditions stay'
complete -c damctl -n "__fish_damctl_needs_command" -f -a "restore" -d 'Brings the masters of archived assets back'
complete -c damctl -n "__fish_damctl_needs_command" -f -a "collection" -d 'Shows collections, and sets what may be done with their assets'
complete -c damctl -n "__fish_damctl_needs_command" -f -a "index" -d 'Brings the search index up to date'
complete -c damctl -n "__fish_damctl_needs_command" -f -a "publish" -d 'Sends renditions to channels: each once, with the place\'s confirmation'
complete -c damctl -n "__fish_damctl_needs_command" -f -a "channel" -d 'Lists and checks the channels of channels.yaml'
complete -c damctl -n "__fish_damctl_needs_command" -f -a "fanout" -d 'Has the jobs of a stage done by many machines: as an array of Slurm, or as an Indexed Job of Kubernetes'
complete -c damctl -n "__fish_damctl_needs_command" -f -a "search" -d 'Finds assets'
complete -c damctl -n "__fish_damctl_needs_command" -f -a "transcript" -d 'Brings what is said in an asset from a file of subtitles, or writes it into one'
complete -c damctl -n "__fish_damctl_needs_command" -f -a "token" -d 'Makes, lists and takes back the tokens by which people and programs ask over HTTP'
complete -c damctl -n "__fish_damctl_needs_command" -f -a "secret" -d 'Keeps, lists and forgets what opens the accounts that are published to: passwords, keys, tokens'
complete -c damctl -n "__fish_damctl_needs_command" -f -a "serve-search" -d 'Answers searches, shows a page for them and plays renditions over HTTP'
complete -c damctl -n "__fish_damctl_needs_command" -f -a "status" -d 'Shows what the archive holds and what is being done'
complete -c damctl -n "__fish_damctl_needs_command" -f -a "events" -d 'Prints every change of state as a JSON line: when, what, of which asset or job'
complete -c damctl -n "__fish_damctl_needs_command" -f -a "history" -d 'Shows what became of an asset, the newest first; or looks whether the record of events is whole'
complete -c damctl -n "__fish_damctl_needs_command" -f -a "catalog" -d 'Moves, backs up, restores and rebuilds the catalog'
complete -c damctl -n "__fish_damctl_needs_command" -f -a "jobs" -d 'Lists, shows and retries jobs'
complete -c damctl -n "__fish_damctl_needs_command" -f -a "verify" -d 'Looks at stored objects again and compares them with the catalog'
complete -c damctl -n "__fish_damctl_needs_command" -f -a "collect" -d 'Shows what is there and not wanted any more; with --yes, takes it away. Masters are never among it'
complete -c damctl -n "__fish_damctl_needs_command" -f -a "store" -d 'Sets what is asked of the buckets, and shows what the archive takes'
complete -c damctl -n "__fish_damctl_needs_command" -f -a "export" -d 'Hands out what the archive has in the forms of others: bags, PREMIS, ASC MHL, lists. docs/export.md has all of it'
complete -c damctl -n "__fish_damctl_needs_command" -f -a "profile" -d 'Works with profiles'
complete -c damctl -n "__fish_damctl_needs_command" -f -a "render" -d 'Makes a clip by a template: scenes of films, pictures and words, a spoken text, its captions, music, a brand'
complete -c damctl -n "__fish_damctl_needs_command" -f -a "generate" -d 'Writes man pages, completions and JSON schemas'
complete -c damctl -n "__fish_damctl_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c damctl -n "__fish_damctl_using_subcommand init" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand init" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand init" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand init" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand config; and not __fish_seen_subcommand_from show help" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand config; and not __fish_seen_subcommand_from show help" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand config; and not __fish_seen_subcommand_from show help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand config; and not __fish_seen_subcommand_from show help" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand config; and not __fish_seen_subcommand_from show help" -f -a "show" -d 'Shows each setting and where it came from'
complete -c damctl -n "__fish_damctl_using_subcommand config; and not __fish_seen_subcommand_from show help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c damctl -n "__fish_damctl_using_subcommand config; and __fish_seen_subcommand_from show" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand config; and __fish_seen_subcommand_from show" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand config; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand config; and __fish_seen_subcommand_from show" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "show" -d 'Shows each setting and where it came from'
complete -c damctl -n "__fish_damctl_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c damctl -n "__fish_damctl_using_subcommand doctor" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand doctor" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand doctor" -l probe -d 'Finds out again what the bucket\'s endpoint does: after an upgrade of the server'
complete -c damctl -n "__fish_damctl_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand doctor" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand ingest" -l collection -d 'The collection that new assets belong to' -r
complete -c damctl -n "__fish_damctl_using_subcommand ingest" -l exclude -d 'Leaves out what matches, in the syntax of .gitignore; can be given again. It is listed as skipped' -r
complete -c damctl -n "__fish_damctl_using_subcommand ingest" -l include -d 'Takes only what matches, in the syntax of .gitignore; can be given again' -r
complete -c damctl -n "__fish_damctl_using_subcommand ingest" -l files-from -d 'Takes only what a file lists: a path below PATH on each line, as it is or as damctl prints it; \'-\' reads standard input' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand ingest" -l max-rate -d 'Reads no faster than so many bytes a second: 80M, 500K (thousands), or 1G' -r
complete -c damctl -n "__fish_damctl_using_subcommand ingest" -l for -d 'Begins nothing new after this time (50m, 8h); what is under way is finished. The exit code is 3 if paths are left' -r
complete -c damctl -n "__fish_damctl_using_subcommand ingest" -l report -d 'Writes what became of each path to a file, a JSON object a line' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand ingest" -l workers -d 'Number of jobs at a time. Default: one a core' -r
complete -c damctl -n "__fish_damctl_using_subcommand ingest" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand ingest" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand ingest" -l bag -d 'Each PATH is a bag by BagIt (RFC 8493): one that is not valid is refused, else its payload is taken in, held against its manifests, with what the bag says of it'
complete -c damctl -n "__fish_damctl_using_subcommand ingest" -l reread -d 'Reads everything again, also what is as it was by size and times, and names each file whose bytes differ from what is recorded. They are taken in; the exit code is then 1'
complete -c damctl -n "__fish_damctl_using_subcommand ingest" -l dry-run -d 'Shows what would be done, and does nothing'
complete -c damctl -n "__fish_damctl_using_subcommand ingest" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand ingest" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand drives" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand drives" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand drives" -l json -d 'Prints a JSON object a line'
complete -c damctl -n "__fish_damctl_using_subcommand drives" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand drives" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand certificate" -l sign -d 'Signs the file, with an Ed25519 key (PEM, PKCS#8) that only its owner can read' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand certificate" -l format -d 'The form. Default: by the ending of the output\'s name, else text' -r -f -a "text\t'For reading on a terminal'
json\t'The record'
html\t'One page, for reading and printing'"
complete -c damctl -n "__fish_damctl_using_subcommand certificate" -l output -d 'Writes to a new file; one that is there is never replaced' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand certificate" -l from -d 'Shows this JSON certificate, instead of issuing one' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand certificate" -l compare -d 'Compares two JSON certificates, path by path: = the same, + appeared, - vanished, * other bytes, ! another outcome. Exit code 0 when NEW accounts for everything that OLD did' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand certificate" -l verify -d 'Checks the signature of a file, FILE.sig, with a public key' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand certificate" -l key -d 'The public key (PEM)' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand certificate" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand certificate" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand certificate" -l check -d 'Asks the store for each object first, and confirms what it has'
complete -c damctl -n "__fish_damctl_using_subcommand certificate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand certificate" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand presign" -l size -d 'Its size' -r
complete -c damctl -n "__fish_damctl_using_subcommand presign" -l sha256 -d 'Its SHA-256' -r
complete -c damctl -n "__fish_damctl_using_subcommand presign" -l collection -d 'The collection that it will belong to' -r
complete -c damctl -n "__fish_damctl_using_subcommand presign" -l valid -d 'For how long the addresses are good' -r
complete -c damctl -n "__fish_damctl_using_subcommand presign" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand presign" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand presign" -l json -d 'Prints a JSON object'
complete -c damctl -n "__fish_damctl_using_subcommand presign" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand presign" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand receive" -l workers -d 'Number of jobs at a time. Default: one a core' -r
complete -c damctl -n "__fish_damctl_using_subcommand receive" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand receive" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand receive" -l watch -d 'Waits for what has not arrived, and for what is announced meanwhile, until it is stopped'
complete -c damctl -n "__fish_damctl_using_subcommand receive" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand receive" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand transcode" -l profile -d 'The profile. Default: the setting `profile`, else the built-in newsroom matrix' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand transcode" -l asset -d 'Only these assets' -r
complete -c damctl -n "__fish_damctl_using_subcommand transcode" -l queue -d 'Which jobs: all; interactive (somebody waits); batch (the backlog); large (those that ran out of memory)' -r
complete -c damctl -n "__fish_damctl_using_subcommand transcode" -l for -d 'Begins nothing new after this time (50m, 8h); what is under way is finished. The exit code is 3 if jobs are left' -r
complete -c damctl -n "__fish_damctl_using_subcommand transcode" -l workers -d 'Number of jobs at a time. Default: one a core' -r
complete -c damctl -n "__fish_damctl_using_subcommand transcode" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand transcode" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand transcode" -l dry-run -d 'Shows what would be made, and makes nothing'
complete -c damctl -n "__fish_damctl_using_subcommand transcode" -l interactive -d 'Goes before the backlog: somebody waits for it. Of what waits already, its place is changed'
complete -c damctl -n "__fish_damctl_using_subcommand transcode" -l enqueue -d 'Only writes down what is to be made, for the workers of a fan-out'
complete -c damctl -n "__fish_damctl_using_subcommand transcode" -l drain -d 'Plans nothing: does what waits, whosever plan it is, and leaves when there has been nothing to do for the time of a lease. Any number of these can work at once, on any machines that reach catalog and store'
complete -c damctl -n "__fish_damctl_using_subcommand transcode" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand transcode" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand enrich" -l only -d 'Looks for nothing but this: speech, text, objects, names, topics, meaning, looks. Names, topics and meaning are looked for in the words that are there. A kind of findings, such as person, stands for what finds it' -r
complete -c damctl -n "__fish_damctl_using_subcommand enrich" -l asset -d 'Just these assets' -r
complete -c damctl -n "__fish_damctl_using_subcommand enrich" -l profile -d 'A profile instead of the archive\'s; its section `enrich` says what is wanted' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand enrich" -l again -d 'Listens again, with the model of --with, to just that of what is said that is to be doubted. What is trusted more takes its place; what a person brought stays as it is' -r -f -a "doubtful\t'What has doubts'"
complete -c damctl -n "__fish_damctl_using_subcommand enrich" -l with -d 'The model for --again: one that is here, for speech' -r
complete -c damctl -n "__fish_damctl_using_subcommand enrich" -l queue -d 'Which jobs: all; interactive (somebody waits); batch (the backlog); large (those that ran out of memory)' -r
complete -c damctl -n "__fish_damctl_using_subcommand enrich" -l for -d 'Begins nothing new after this time (50m, 8h); what is under way is finished. The exit code is 3 if jobs are left' -r
complete -c damctl -n "__fish_damctl_using_subcommand enrich" -l workers -d 'Number of jobs at a time. Default: one a core' -r
complete -c damctl -n "__fish_damctl_using_subcommand enrich" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand enrich" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand enrich" -l dry-run -d 'Prints what would be done'
complete -c damctl -n "__fish_damctl_using_subcommand enrich" -l enqueue -d 'Plans and writes the jobs down, for others to do'
complete -c damctl -n "__fish_damctl_using_subcommand enrich" -l drain -d 'Plans nothing: does what waits, whosever plan it is, and leaves when there has been nothing to do for the time of a lease. Any number of these can work at once, on any machines that reach catalog and store'
complete -c damctl -n "__fish_damctl_using_subcommand enrich" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand enrich" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand models; and not __fish_seen_subcommand_from list pull import verify help" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand models; and not __fish_seen_subcommand_from list pull import verify help" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand models; and not __fish_seen_subcommand_from list pull import verify help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand models; and not __fish_seen_subcommand_from list pull import verify help" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand models; and not __fish_seen_subcommand_from list pull import verify help" -f -a "list" -d 'Lists the models that are known or here: what each is for, in which languages, under which license'
complete -c damctl -n "__fish_damctl_using_subcommand models; and not __fish_seen_subcommand_from list pull import verify help" -f -a "pull" -d 'Gets models by name, with what they need, and compares them with known digests. What broke off is gone on with'
complete -c damctl -n "__fish_damctl_using_subcommand models; and not __fish_seen_subcommand_from list pull import verify help" -f -a "import" -d 'Takes a model of one\'s own: a folder of CTranslate2 (faster-whisper), which is converted; one of spaCy; one of E5 (model.onnx and tokenizer.json); or a file'
complete -c damctl -n "__fish_damctl_using_subcommand models; and not __fish_seen_subcommand_from list pull import verify help" -f -a "verify" -d 'Reads models from end to end and compares them with what came. The exit code is 1 if one is damaged'
complete -c damctl -n "__fish_damctl_using_subcommand models; and not __fish_seen_subcommand_from list pull import verify help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c damctl -n "__fish_damctl_using_subcommand models; and __fish_seen_subcommand_from list" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand models; and __fish_seen_subcommand_from list" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand models; and __fish_seen_subcommand_from list" -l json -d 'Prints a JSON array'
complete -c damctl -n "__fish_damctl_using_subcommand models; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand models; and __fish_seen_subcommand_from list" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand models; and __fish_seen_subcommand_from pull" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand models; and __fish_seen_subcommand_from pull" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand models; and __fish_seen_subcommand_from pull" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand models; and __fish_seen_subcommand_from pull" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand models; and __fish_seen_subcommand_from import" -l as -d 'What it is called from now on' -r
complete -c damctl -n "__fish_damctl_using_subcommand models; and __fish_seen_subcommand_from import" -l for -d 'What it is for: speech, voice, text, objects, names, meaning or runtime' -r
complete -c damctl -n "__fish_damctl_using_subcommand models; and __fish_seen_subcommand_from import" -l weights -d 'How the weights of what is converted are kept' -r -f -a "f16\t'16 bits a weight, as they were trained'
q8_0\t'8 bits a weight: half as large'"
complete -c damctl -n "__fish_damctl_using_subcommand models; and __fish_seen_subcommand_from import" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand models; and __fish_seen_subcommand_from import" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand models; and __fish_seen_subcommand_from import" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand models; and __fish_seen_subcommand_from import" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand models; and __fish_seen_subcommand_from verify" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand models; and __fish_seen_subcommand_from verify" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand models; and __fish_seen_subcommand_from verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand models; and __fish_seen_subcommand_from verify" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand models; and __fish_seen_subcommand_from help" -f -a "list" -d 'Lists the models that are known or here: what each is for, in which languages, under which license'
complete -c damctl -n "__fish_damctl_using_subcommand models; and __fish_seen_subcommand_from help" -f -a "pull" -d 'Gets models by name, with what they need, and compares them with known digests. What broke off is gone on with'
complete -c damctl -n "__fish_damctl_using_subcommand models; and __fish_seen_subcommand_from help" -f -a "import" -d 'Takes a model of one\'s own: a folder of CTranslate2 (faster-whisper), which is converted; one of spaCy; one of E5 (model.onnx and tokenizer.json); or a file'
complete -c damctl -n "__fish_damctl_using_subcommand models; and __fish_seen_subcommand_from help" -f -a "verify" -d 'Reads models from end to end and compares them with what came. The exit code is 1 if one is damaged'
complete -c damctl -n "__fish_damctl_using_subcommand models; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c damctl -n "__fish_damctl_using_subcommand infer" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand infer" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand infer" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand infer" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand replace" -l workers -d 'Number of jobs at a time. Default: one a core' -r
complete -c damctl -n "__fish_damctl_using_subcommand replace" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand replace" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand replace" -l no-wait -d 'Leaves what is to be made of it to the next `damctl transcode`'
complete -c damctl -n "__fish_damctl_using_subcommand replace" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand replace" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand rollback" -l to -d 'The number of the generation. Default: the one that was active before' -r
complete -c damctl -n "__fish_damctl_using_subcommand rollback" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand rollback" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand rollback" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand rollback" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand replicate" -l rate -d 'Reads no faster than so many bytes a second: 80M, 500K (thousands), or 1G' -r
complete -c damctl -n "__fish_damctl_using_subcommand replicate" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand replicate" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand replicate" -l verify -d 'Also reads what is there already, and makes good what has other bytes'
complete -c damctl -n "__fish_damctl_using_subcommand replicate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand replicate" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand archive" -l collection -d 'All assets of a collection' -r
complete -c damctl -n "__fish_damctl_using_subcommand archive" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand archive" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand archive" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand archive" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand restore" -l collection -d 'All assets of a collection' -r
complete -c damctl -n "__fish_damctl_using_subcommand restore" -l days -d 'How many days a bucket keeps the copy' -r
complete -c damctl -n "__fish_damctl_using_subcommand restore" -l tier -d 'How soon a bucket gives it: expedited (minutes), standard (hours) or bulk (a day or two)' -r
complete -c damctl -n "__fish_damctl_using_subcommand restore" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand restore" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand restore" -l for-good -d 'Brings them back into the hot area for good'
complete -c damctl -n "__fish_damctl_using_subcommand restore" -l wait -d 'Waits until they can be read'
complete -c damctl -n "__fish_damctl_using_subcommand restore" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand restore" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand collection; and not __fish_seen_subcommand_from list set help" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand collection; and not __fish_seen_subcommand_from list set help" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand collection; and not __fish_seen_subcommand_from list set help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand collection; and not __fish_seen_subcommand_from list set help" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand collection; and not __fish_seen_subcommand_from list set help" -f -a "list" -d 'Shows all collections, and what is said of them'
complete -c damctl -n "__fish_damctl_using_subcommand collection; and not __fish_seen_subcommand_from list set help" -f -a "set" -d 'Changes what is said of one; what is not given stays, and an empty text takes it back'
complete -c damctl -n "__fish_damctl_using_subcommand collection; and not __fish_seen_subcommand_from list set help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c damctl -n "__fish_damctl_using_subcommand collection; and __fish_seen_subcommand_from list" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand collection; and __fish_seen_subcommand_from list" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand collection; and __fish_seen_subcommand_from list" -l json -d 'Prints a JSON object a line'
complete -c damctl -n "__fish_damctl_using_subcommand collection; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand collection; and __fish_seen_subcommand_from list" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand collection; and __fish_seen_subcommand_from set" -l license -d 'The license\'s name' -r
complete -c damctl -n "__fish_damctl_using_subcommand collection; and __fish_seen_subcommand_from set" -l embargo -d 'Until when only editors see it: a day, or a time with its offset from UTC' -r
complete -c damctl -n "__fish_damctl_using_subcommand collection; and __fish_seen_subcommand_from set" -l expires -d 'When the right to show it ends; a day is meant to its end' -r
complete -c damctl -n "__fish_damctl_using_subcommand collection; and __fish_seen_subcommand_from set" -l territory -d 'Countries where it may be shown (ISO 3166-1, such as ES), with commas between them' -r
complete -c damctl -n "__fish_damctl_using_subcommand collection; and __fish_seen_subcommand_from set" -l consent -d 'Whether those in it have agreed: given, refused, not needed' -r
complete -c damctl -n "__fish_damctl_using_subcommand collection; and __fish_seen_subcommand_from set" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand collection; and __fish_seen_subcommand_from set" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand collection; and __fish_seen_subcommand_from set" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand collection; and __fish_seen_subcommand_from set" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand collection; and __fish_seen_subcommand_from help" -f -a "list" -d 'Shows all collections, and what is said of them'
complete -c damctl -n "__fish_damctl_using_subcommand collection; and __fish_seen_subcommand_from help" -f -a "set" -d 'Changes what is said of one; what is not given stays, and an empty text takes it back'
complete -c damctl -n "__fish_damctl_using_subcommand collection; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c damctl -n "__fish_damctl_using_subcommand index" -l shards -d 'Number of shards. Each is written by one worker at a time, so that several can build an index together; all are asked together. Another number than the current index has makes a new one' -r
complete -c damctl -n "__fish_damctl_using_subcommand index" -l bulk -d 'Brings the index of a server up to date that speaks OpenSearch\'s API, such as https://search.example:9200; who asks there is said by DAMCTL_BULK_USER and DAMCTL_BULK_PASSWORD' -r
complete -c damctl -n "__fish_damctl_using_subcommand index" -l for -d 'Begins nothing new after this time (50m, 8h). The exit code is 3 if something is left' -r
complete -c damctl -n "__fish_damctl_using_subcommand index" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand index" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand index" -l rebuild -d 'Makes a new index from nothing, then takes it in place of the old one'
complete -c damctl -n "__fish_damctl_using_subcommand index" -l follow -d 'Goes on with what changes, until ^C. A change can be found about a second later'
complete -c damctl -n "__fish_damctl_using_subcommand index" -l check -d 'Compares the index with the catalog, document by document, and changes nothing. The exit code is 1 if they differ'
complete -c damctl -n "__fish_damctl_using_subcommand index" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand index" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand publish; and not __fish_seen_subcommand_from status approve cancel retract reconcile settle help" -l to -d 'To these channels' -r
complete -c damctl -n "__fish_damctl_using_subcommand publish; and not __fish_seen_subcommand_from status approve cancel retract reconcile settle help" -l at -d 'Not before this time: 2026-12-01T18:00+01:00, or a day, whose beginning in UTC is meant' -r
complete -c damctl -n "__fish_damctl_using_subcommand publish; and not __fish_seen_subcommand_from status approve cancel retract reconcile settle help" -l entry -d 'Of this profile entry, in place of those that the channel names; \'master\' is the original' -r
complete -c damctl -n "__fish_damctl_using_subcommand publish; and not __fish_seen_subcommand_from status approve cancel retract reconcile settle help" -l title -d 'A title in place of the channel\'s template' -r
complete -c damctl -n "__fish_damctl_using_subcommand publish; and not __fish_seen_subcommand_from status approve cancel retract reconcile settle help" -l description -d 'A text in place of the channel\'s template' -r
complete -c damctl -n "__fish_damctl_using_subcommand publish; and not __fish_seen_subcommand_from status approve cancel retract reconcile settle help" -l privacy -d 'Who can see it, in the place\'s own word' -r
complete -c damctl -n "__fish_damctl_using_subcommand publish; and not __fish_seen_subcommand_from status approve cancel retract reconcile settle help" -l wait -d 'Waits at most so long for accounts that are left in peace and for places that are at work; 0s: not at all' -r
complete -c damctl -n "__fish_damctl_using_subcommand publish; and not __fish_seen_subcommand_from status approve cancel retract reconcile settle help" -l workers -d 'Number of jobs at a time. Default: one a core' -r
complete -c damctl -n "__fish_damctl_using_subcommand publish; and not __fish_seen_subcommand_from status approve cancel retract reconcile settle help" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand publish; and not __fish_seen_subcommand_from status approve cancel retract reconcile settle help" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand publish; and not __fish_seen_subcommand_from status approve cancel retract reconcile settle help" -l needs-approval -d 'Waits until somebody has agreed (\'damctl publish approve\')'
complete -c damctl -n "__fish_damctl_using_subcommand publish; and not __fish_seen_subcommand_from status approve cancel retract reconcile settle help" -l force -d 'Publishes once more what was published before: people see it twice. Asks first'
complete -c damctl -n "__fish_damctl_using_subcommand publish; and not __fish_seen_subcommand_from status approve cancel retract reconcile settle help" -l yes -d 'Takes the answer to be yes'
complete -c damctl -n "__fish_damctl_using_subcommand publish; and not __fish_seen_subcommand_from status approve cancel retract reconcile settle help" -l dry-run -d 'Shows what would be published and what stands in its way, and does nothing'
complete -c damctl -n "__fish_damctl_using_subcommand publish; and not __fish_seen_subcommand_from status approve cancel retract reconcile settle help" -l enqueue -d 'Plans, for others to do'
complete -c damctl -n "__fish_damctl_using_subcommand publish; and not __fish_seen_subcommand_from status approve cancel retract reconcile settle help" -l watch -d 'Goes on until it is stopped: publishes what becomes due, and what the rules want'
complete -c damctl -n "__fish_damctl_using_subcommand publish; and not __fish_seen_subcommand_from status approve cancel retract reconcile settle help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand publish; and not __fish_seen_subcommand_from status approve cancel retract reconcile settle help" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand publish; and not __fish_seen_subcommand_from status approve cancel retract reconcile settle help" -a "status" -d 'Lists publications: where, what of, how far, why not further'
complete -c damctl -n "__fish_damctl_using_subcommand publish; and not __fish_seen_subcommand_from status approve cancel retract reconcile settle help" -a "approve" -d 'Agrees to publications that wait for it'
complete -c damctl -n "__fish_damctl_using_subcommand publish; and not __fish_seen_subcommand_from status approve cancel retract reconcile settle help" -a "cancel" -d 'Gives up publications that are planned and not begun'
complete -c damctl -n "__fish_damctl_using_subcommand publish; and not __fish_seen_subcommand_from status approve cancel retract reconcile settle help" -a "retract" -d 'Takes publications back: asks their places to remove what is there, and keeps what they confirm'
complete -c damctl -n "__fish_damctl_using_subcommand publish; and not __fish_seen_subcommand_from status approve cancel retract reconcile settle help" -a "reconcile" -d 'Asks places what became of publications of which a reply was lost'
complete -c damctl -n "__fish_damctl_using_subcommand publish; and not __fish_seen_subcommand_from status approve cancel retract reconcile settle help" -a "settle" -d 'Says of a publication, which its place cannot tell about, how it is; somebody has looked'
complete -c damctl -n "__fish_damctl_using_subcommand publish; and not __fish_seen_subcommand_from status approve cancel retract reconcile settle help" -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c damctl -n "__fish_damctl_using_subcommand publish; and __fish_seen_subcommand_from status" -l state -d 'In this state: planned, sending, published, unknown, failed or retracted' -r
complete -c damctl -n "__fish_damctl_using_subcommand publish; and __fish_seen_subcommand_from status" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand publish; and __fish_seen_subcommand_from status" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand publish; and __fish_seen_subcommand_from status" -l json -d 'Prints a JSON object a line'
complete -c damctl -n "__fish_damctl_using_subcommand publish; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand publish; and __fish_seen_subcommand_from status" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand publish; and __fish_seen_subcommand_from approve" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand publish; and __fish_seen_subcommand_from approve" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand publish; and __fish_seen_subcommand_from approve" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand publish; and __fish_seen_subcommand_from approve" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand publish; and __fish_seen_subcommand_from cancel" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand publish; and __fish_seen_subcommand_from cancel" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand publish; and __fish_seen_subcommand_from cancel" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand publish; and __fish_seen_subcommand_from cancel" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand publish; and __fish_seen_subcommand_from retract" -l workers -d 'Number of jobs at a time. Default: one a core' -r
complete -c damctl -n "__fish_damctl_using_subcommand publish; and __fish_seen_subcommand_from retract" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand publish; and __fish_seen_subcommand_from retract" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand publish; and __fish_seen_subcommand_from retract" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand publish; and __fish_seen_subcommand_from retract" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand publish; and __fish_seen_subcommand_from reconcile" -l workers -d 'Number of jobs at a time. Default: one a core' -r
complete -c damctl -n "__fish_damctl_using_subcommand publish; and __fish_seen_subcommand_from reconcile" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand publish; and __fish_seen_subcommand_from reconcile" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand publish; and __fish_seen_subcommand_from reconcile" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand publish; and __fish_seen_subcommand_from reconcile" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand publish; and __fish_seen_subcommand_from settle" -l published -d 'It is there, and this is its address or its name there' -r
complete -c damctl -n "__fish_damctl_using_subcommand publish; and __fish_seen_subcommand_from settle" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand publish; and __fish_seen_subcommand_from settle" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand publish; and __fish_seen_subcommand_from settle" -l absent -d 'It is not there: it is sent again'
complete -c damctl -n "__fish_damctl_using_subcommand publish; and __fish_seen_subcommand_from settle" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand publish; and __fish_seen_subcommand_from settle" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand publish; and __fish_seen_subcommand_from help" -f -a "status" -d 'Lists publications: where, what of, how far, why not further'
complete -c damctl -n "__fish_damctl_using_subcommand publish; and __fish_seen_subcommand_from help" -f -a "approve" -d 'Agrees to publications that wait for it'
complete -c damctl -n "__fish_damctl_using_subcommand publish; and __fish_seen_subcommand_from help" -f -a "cancel" -d 'Gives up publications that are planned and not begun'
complete -c damctl -n "__fish_damctl_using_subcommand publish; and __fish_seen_subcommand_from help" -f -a "retract" -d 'Takes publications back: asks their places to remove what is there, and keeps what they confirm'
complete -c damctl -n "__fish_damctl_using_subcommand publish; and __fish_seen_subcommand_from help" -f -a "reconcile" -d 'Asks places what became of publications of which a reply was lost'
complete -c damctl -n "__fish_damctl_using_subcommand publish; and __fish_seen_subcommand_from help" -f -a "settle" -d 'Says of a publication, which its place cannot tell about, how it is; somebody has looked'
complete -c damctl -n "__fish_damctl_using_subcommand publish; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c damctl -n "__fish_damctl_using_subcommand channel; and not __fish_seen_subcommand_from list check login validate help" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand channel; and not __fish_seen_subcommand_from list check login validate help" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand channel; and not __fish_seen_subcommand_from list check login validate help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand channel; and not __fish_seen_subcommand_from list check login validate help" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand channel; and not __fish_seen_subcommand_from list check login validate help" -f -a "list" -d 'Lists the channels: where to, what is sent, what they take, how often'
complete -c damctl -n "__fish_damctl_using_subcommand channel; and not __fish_seen_subcommand_from list check login validate help" -f -a "check" -d 'Asks places whether the credentials are good and what the account may do. The exit code is 1 if one is not well'
complete -c damctl -n "__fish_damctl_using_subcommand channel; and not __fish_seen_subcommand_from list check login validate help" -f -a "login" -d 'Lets damctl into an account in a browser, and keeps the tokens where the setting \'secrets\' says'
complete -c damctl -n "__fish_damctl_using_subcommand channel; and not __fish_seen_subcommand_from list check login validate help" -f -a "validate" -d 'Reads a file of channels and says what is wrong with it'
complete -c damctl -n "__fish_damctl_using_subcommand channel; and not __fish_seen_subcommand_from list check login validate help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c damctl -n "__fish_damctl_using_subcommand channel; and __fish_seen_subcommand_from list" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand channel; and __fish_seen_subcommand_from list" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand channel; and __fish_seen_subcommand_from list" -l json -d 'Prints a JSON object a line'
complete -c damctl -n "__fish_damctl_using_subcommand channel; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand channel; and __fish_seen_subcommand_from list" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand channel; and __fish_seen_subcommand_from check" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand channel; and __fish_seen_subcommand_from check" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand channel; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand channel; and __fish_seen_subcommand_from check" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand channel; and __fish_seen_subcommand_from login" -l port -d 'The port of the address on 127.0.0.1 that the browser comes back to, where the app has to name it. 0: any' -r
complete -c damctl -n "__fish_damctl_using_subcommand channel; and __fish_seen_subcommand_from login" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand channel; and __fish_seen_subcommand_from login" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand channel; and __fish_seen_subcommand_from login" -l device -d 'Prints an address and a code to type on another machine instead, where the platform has that'
complete -c damctl -n "__fish_damctl_using_subcommand channel; and __fish_seen_subcommand_from login" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand channel; and __fish_seen_subcommand_from login" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand channel; and __fish_seen_subcommand_from validate" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand channel; and __fish_seen_subcommand_from validate" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand channel; and __fish_seen_subcommand_from validate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand channel; and __fish_seen_subcommand_from validate" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand channel; and __fish_seen_subcommand_from help" -f -a "list" -d 'Lists the channels: where to, what is sent, what they take, how often'
complete -c damctl -n "__fish_damctl_using_subcommand channel; and __fish_seen_subcommand_from help" -f -a "check" -d 'Asks places whether the credentials are good and what the account may do. The exit code is 1 if one is not well'
complete -c damctl -n "__fish_damctl_using_subcommand channel; and __fish_seen_subcommand_from help" -f -a "login" -d 'Lets damctl into an account in a browser, and keeps the tokens where the setting \'secrets\' says'
complete -c damctl -n "__fish_damctl_using_subcommand channel; and __fish_seen_subcommand_from help" -f -a "validate" -d 'Reads a file of channels and says what is wrong with it'
complete -c damctl -n "__fish_damctl_using_subcommand channel; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and not __fish_seen_subcommand_from slurm k8s help" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and not __fish_seen_subcommand_from slurm k8s help" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and not __fish_seen_subcommand_from slurm k8s help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and not __fish_seen_subcommand_from slurm k8s help" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and not __fish_seen_subcommand_from slurm k8s help" -f -a "slurm" -d 'As an array of Slurm'
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and not __fish_seen_subcommand_from slurm k8s help" -f -a "k8s" -d 'As an Indexed Job of Kubernetes'
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and not __fish_seen_subcommand_from slurm k8s help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and __fish_seen_subcommand_from slurm" -l stage -d 'The stage; given again, each begins when the one before it has ended' -r
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and __fish_seen_subcommand_from slurm" -l queue -d 'Which jobs: batch (the backlog); interactive (somebody waits); large (those that ran out of memory, once more, with twice as much); all' -r
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and __fish_seen_subcommand_from slurm" -l workers -d 'At most so many workers' -r
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and __fish_seen_subcommand_from slurm" -l jobs-per-worker -d 'So many jobs are worth a worker of their own. Default: what suits the stage' -r
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and __fish_seen_subcommand_from slurm" -l in-flight -d 'At most so many workers at a time. Default: all' -r
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and __fish_seen_subcommand_from slurm" -l cpus -d 'Processors of a worker. Default: what suits the stage' -r
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and __fish_seen_subcommand_from slurm" -l memory -d 'Memory of a worker, such as 8G. Default: what suits the stage' -r
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and __fish_seen_subcommand_from slurm" -l time -d 'How long a worker\'s shift is, such as 4h. Towards its end it begins nothing new' -r
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and __fish_seen_subcommand_from slurm" -l partition -d 'Where the tasks may run; with STAGE= before it, those of that stage; can be given again. Default: Slurm\'s' -r
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and __fish_seen_subcommand_from slurm" -l gpus -d 'Graphics processors of a task: 1, or a100:1. Of several stages, those that can use one (enrich) have them' -r
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and __fish_seen_subcommand_from slurm" -l account -d 'Whose account pays' -r
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and __fish_seen_subcommand_from slurm" -l qos -d 'Quality of service' -r
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and __fish_seen_subcommand_from slurm" -l after -d 'A job that has to end first: 17, or afterok:17 when it also has to succeed; can be given again' -r
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and __fish_seen_subcommand_from slurm" -l program -d 'The damctl program on the nodes. Default: this one\'s path' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and __fish_seen_subcommand_from slurm" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and __fish_seen_subcommand_from slurm" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and __fish_seen_subcommand_from slurm" -l submit -d 'Submits it, instead of printing it'
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and __fish_seen_subcommand_from slurm" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and __fish_seen_subcommand_from slurm" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and __fish_seen_subcommand_from k8s" -l stage -d 'The stage' -r
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and __fish_seen_subcommand_from k8s" -l queue -d 'Which jobs: batch (the backlog); interactive (somebody waits); large (those that ran out of memory, once more, with twice as much); all' -r
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and __fish_seen_subcommand_from k8s" -l workers -d 'At most so many workers' -r
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and __fish_seen_subcommand_from k8s" -l jobs-per-worker -d 'So many jobs are worth a worker of their own. Default: what suits the stage' -r
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and __fish_seen_subcommand_from k8s" -l in-flight -d 'At most so many workers at a time. Default: all' -r
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and __fish_seen_subcommand_from k8s" -l cpus -d 'Processors of a worker. Default: what suits the stage' -r
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and __fish_seen_subcommand_from k8s" -l memory -d 'Memory of a worker, such as 8G. Default: what suits the stage' -r
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and __fish_seen_subcommand_from k8s" -l time -d 'How long a worker\'s shift is, such as 4h. Towards its end it begins nothing new' -r
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and __fish_seen_subcommand_from k8s" -l image -d 'The container image (deploy/k8s-jobs/Dockerfile)' -r
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and __fish_seen_subcommand_from k8s" -l secret -d 'The Secret with the keys catalog (its address), access-key and secret-key (the bucket\'s)' -r
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and __fish_seen_subcommand_from k8s" -l claim -d 'The claim on a volume that holds this archive\'s folder, where the store is no bucket' -r
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and __fish_seen_subcommand_from k8s" -l models-claim -d 'The claim on a volume that holds the models (docs/enrich.md), which \'enrich\' needs: they are not in the image' -r
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and __fish_seen_subcommand_from k8s" -l profile-map -d 'The ConfigMap with the profile, under the key profile.yaml, which \'enrich\' needs where the profile is one\'s own' -r
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and __fish_seen_subcommand_from k8s" -l namespace -d 'The namespace. Default: kubectl\'s' -r
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and __fish_seen_subcommand_from k8s" -l pool -d 'Only nodes with the label damctl-pool=NAME; taints of that name are tolerated. Default: what suits the stage' -r
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and __fish_seen_subcommand_from k8s" -l gpus -d 'Graphics processors of a pod' -r
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and __fish_seen_subcommand_from k8s" -l scratch -d 'Disk for work in progress: room for a few masters and what is made of them' -r
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and __fish_seen_subcommand_from k8s" -l kueue -d 'The queue of Kueue that lets it begin' -r
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and __fish_seen_subcommand_from k8s" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and __fish_seen_subcommand_from k8s" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and __fish_seen_subcommand_from k8s" -l submit -d 'Submits it, instead of printing it'
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and __fish_seen_subcommand_from k8s" -l any-node -d 'Any node will do'
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and __fish_seen_subcommand_from k8s" -l scaled -d 'A ScaledJob of KEDA instead: workers come whenever jobs wait, and go when none do. The catalog has to be PostgreSQL'
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and __fish_seen_subcommand_from k8s" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and __fish_seen_subcommand_from k8s" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and __fish_seen_subcommand_from help" -f -a "slurm" -d 'As an array of Slurm'
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and __fish_seen_subcommand_from help" -f -a "k8s" -d 'As an Indexed Job of Kubernetes'
complete -c damctl -n "__fish_damctl_using_subcommand fanout; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c damctl -n "__fish_damctl_using_subcommand search" -l kind -d 'Only assets of this kind' -r
complete -c damctl -n "__fish_damctl_using_subcommand search" -l limit -d 'Number of hits, 10000 at most' -r
complete -c damctl -n "__fish_damctl_using_subcommand search" -l moments -d 'Number of moments of each hit' -r
complete -c damctl -n "__fish_damctl_using_subcommand search" -l sort -d 'In which order' -r -f -a "relevance\t'The best first'
newest\t'What was recorded last first'
oldest\t'What was recorded first first'
longest\t'The longest first'
shortest\t'The shortest first'"
complete -c damctl -n "__fish_damctl_using_subcommand search" -l facets -d 'Counts the values of these fields: kind, collection, program, category, people, places, organizations, objects, topics, tags, codec' -r
complete -c damctl -n "__fish_damctl_using_subcommand search" -l cursor -d 'Goes on where an earlier answer ended' -r
complete -c damctl -n "__fish_damctl_using_subcommand search" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand search" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand search" -l any -d 'One of the words is enough; more are better'
complete -c damctl -n "__fish_damctl_using_subcommand search" -l meaning -d 'Looks for what words mean as well, whatever the language: the profile\'s section `enrich` asks for `meaning`'
complete -c damctl -n "__fish_damctl_using_subcommand search" -l edl -d 'Prints the moments as a cut list by CMX 3600, with source timecodes'
complete -c damctl -n "__fish_damctl_using_subcommand search" -l otio -d 'Prints the moments as an OpenTimelineIO timeline'
complete -c damctl -n "__fish_damctl_using_subcommand search" -l csv -d 'Prints the moments as a table'
complete -c damctl -n "__fish_damctl_using_subcommand search" -l m3u -d 'Prints the moments as a playlist'
complete -c damctl -n "__fish_damctl_using_subcommand search" -l json -d 'Prints a JSON object'
complete -c damctl -n "__fish_damctl_using_subcommand search" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand search" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand transcript; and not __fish_seen_subcommand_from import remove export help" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand transcript; and not __fish_seen_subcommand_from import remove export help" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand transcript; and not __fish_seen_subcommand_from import remove export help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand transcript; and not __fish_seen_subcommand_from import remove export help" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand transcript; and not __fish_seen_subcommand_from import remove export help" -f -a "import" -d 'Takes a file of subtitles (WebVTT or SubRip) as what is said in an asset. No model takes its place'
complete -c damctl -n "__fish_damctl_using_subcommand transcript; and not __fish_seen_subcommand_from import remove export help" -f -a "remove" -d 'Takes away what was imported as what is said in an asset. What a model heard counts again, where one has'
complete -c damctl -n "__fish_damctl_using_subcommand transcript; and not __fish_seen_subcommand_from import remove export help" -f -a "export" -d 'Prints what is said in an asset'
complete -c damctl -n "__fish_damctl_using_subcommand transcript; and not __fish_seen_subcommand_from import remove export help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c damctl -n "__fish_damctl_using_subcommand transcript; and __fish_seen_subcommand_from import" -l asset -d 'The asset' -r
complete -c damctl -n "__fish_damctl_using_subcommand transcript; and __fish_seen_subcommand_from import" -l language -d 'The language of its words, such as es or en' -r
complete -c damctl -n "__fish_damctl_using_subcommand transcript; and __fish_seen_subcommand_from import" -l track -d 'The sound track that it is of, counted from 1' -r
complete -c damctl -n "__fish_damctl_using_subcommand transcript; and __fish_seen_subcommand_from import" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand transcript; and __fish_seen_subcommand_from import" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand transcript; and __fish_seen_subcommand_from import" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand transcript; and __fish_seen_subcommand_from import" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand transcript; and __fish_seen_subcommand_from remove" -l track -d 'The sound track, counted from 1' -r
complete -c damctl -n "__fish_damctl_using_subcommand transcript; and __fish_seen_subcommand_from remove" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand transcript; and __fish_seen_subcommand_from remove" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand transcript; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand transcript; and __fish_seen_subcommand_from remove" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand transcript; and __fish_seen_subcommand_from export" -l form -d 'How' -r -f -a "vtt\t'WebVTT'
srt\t'SubRip'
json\t'With all that is known of each line'"
complete -c damctl -n "__fish_damctl_using_subcommand transcript; and __fish_seen_subcommand_from export" -l track -d 'The sound track, counted from 1. Default: the first that has words' -r
complete -c damctl -n "__fish_damctl_using_subcommand transcript; and __fish_seen_subcommand_from export" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand transcript; and __fish_seen_subcommand_from export" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand transcript; and __fish_seen_subcommand_from export" -l translation -d 'Its translation to English instead, where the profile had one made'
complete -c damctl -n "__fish_damctl_using_subcommand transcript; and __fish_seen_subcommand_from export" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand transcript; and __fish_seen_subcommand_from export" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand transcript; and __fish_seen_subcommand_from help" -f -a "import" -d 'Takes a file of subtitles (WebVTT or SubRip) as what is said in an asset. No model takes its place'
complete -c damctl -n "__fish_damctl_using_subcommand transcript; and __fish_seen_subcommand_from help" -f -a "remove" -d 'Takes away what was imported as what is said in an asset. What a model heard counts again, where one has'
complete -c damctl -n "__fish_damctl_using_subcommand transcript; and __fish_seen_subcommand_from help" -f -a "export" -d 'Prints what is said in an asset'
complete -c damctl -n "__fish_damctl_using_subcommand transcript; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c damctl -n "__fish_damctl_using_subcommand token; and not __fish_seen_subcommand_from create list revoke help" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand token; and not __fish_seen_subcommand_from create list revoke help" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand token; and not __fish_seen_subcommand_from create list revoke help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand token; and not __fish_seen_subcommand_from create list revoke help" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand token; and not __fish_seen_subcommand_from create list revoke help" -f -a "create" -d 'Makes a token and prints it, once: only its digest is kept'
complete -c damctl -n "__fish_damctl_using_subcommand token; and not __fish_seen_subcommand_from create list revoke help" -f -a "list" -d 'Lists tokens: whose, what they may do, until when'
complete -c damctl -n "__fish_damctl_using_subcommand token; and not __fish_seen_subcommand_from create list revoke help" -f -a "revoke" -d 'Takes a token back'
complete -c damctl -n "__fish_damctl_using_subcommand token; and not __fish_seen_subcommand_from create list revoke help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c damctl -n "__fish_damctl_using_subcommand token; and __fish_seen_subcommand_from create" -l role -d 'What its bearer may do: viewer (search and play), editor (embargoed assets too, and changes), operator (jobs and metrics too), admin' -r
complete -c damctl -n "__fish_damctl_using_subcommand token; and __fish_seen_subcommand_from create" -l collection -d 'Only these collections. Default: all' -r
complete -c damctl -n "__fish_damctl_using_subcommand token; and __fish_seen_subcommand_from create" -l territory -d 'The country (ISO 3166-1) from which its bearer looks: a viewer does not see what may not be shown there' -r
complete -c damctl -n "__fish_damctl_using_subcommand token; and __fish_seen_subcommand_from create" -l expires -d 'Until when it is good: 90d, 12h, a day (2027-01-31) or never' -r
complete -c damctl -n "__fish_damctl_using_subcommand token; and __fish_seen_subcommand_from create" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand token; and __fish_seen_subcommand_from create" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand token; and __fish_seen_subcommand_from create" -l json -d 'Prints a JSON object'
complete -c damctl -n "__fish_damctl_using_subcommand token; and __fish_seen_subcommand_from create" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand token; and __fish_seen_subcommand_from create" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand token; and __fish_seen_subcommand_from list" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand token; and __fish_seen_subcommand_from list" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand token; and __fish_seen_subcommand_from list" -l json -d 'Prints a JSON array'
complete -c damctl -n "__fish_damctl_using_subcommand token; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand token; and __fish_seen_subcommand_from list" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand token; and __fish_seen_subcommand_from revoke" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand token; and __fish_seen_subcommand_from revoke" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand token; and __fish_seen_subcommand_from revoke" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand token; and __fish_seen_subcommand_from revoke" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand token; and __fish_seen_subcommand_from help" -f -a "create" -d 'Makes a token and prints it, once: only its digest is kept'
complete -c damctl -n "__fish_damctl_using_subcommand token; and __fish_seen_subcommand_from help" -f -a "list" -d 'Lists tokens: whose, what they may do, until when'
complete -c damctl -n "__fish_damctl_using_subcommand token; and __fish_seen_subcommand_from help" -f -a "revoke" -d 'Takes a token back'
complete -c damctl -n "__fish_damctl_using_subcommand token; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c damctl -n "__fish_damctl_using_subcommand secret; and not __fish_seen_subcommand_from set list remove key help" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand secret; and not __fish_seen_subcommand_from set list remove key help" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand secret; and not __fish_seen_subcommand_from set list remove key help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand secret; and not __fish_seen_subcommand_from set list remove key help" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand secret; and not __fish_seen_subcommand_from set list remove key help" -f -a "set" -d 'Keeps a secret of an account: what is typed at a terminal, unseen, or standard input. It is never an argument, which everybody on this machine could see'
complete -c damctl -n "__fish_damctl_using_subcommand secret; and not __fish_seen_subcommand_from set list remove key help" -f -a "list" -d 'Lists accounts and the names of what is kept of each; never what it is'
complete -c damctl -n "__fish_damctl_using_subcommand secret; and not __fish_seen_subcommand_from set list remove key help" -f -a "remove" -d 'Forgets a secret of an account, or all of them'
complete -c damctl -n "__fish_damctl_using_subcommand secret; and not __fish_seen_subcommand_from set list remove key help" -f -a "key" -d 'Makes the key that opens an encrypted file of secrets. It is never overwritten'
complete -c damctl -n "__fish_damctl_using_subcommand secret; and not __fish_seen_subcommand_from set list remove key help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c damctl -n "__fish_damctl_using_subcommand secret; and __fish_seen_subcommand_from set" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand secret; and __fish_seen_subcommand_from set" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand secret; and __fish_seen_subcommand_from set" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand secret; and __fish_seen_subcommand_from set" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand secret; and __fish_seen_subcommand_from list" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand secret; and __fish_seen_subcommand_from list" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand secret; and __fish_seen_subcommand_from list" -l json -d 'Prints a JSON object'
complete -c damctl -n "__fish_damctl_using_subcommand secret; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand secret; and __fish_seen_subcommand_from list" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand secret; and __fish_seen_subcommand_from remove" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand secret; and __fish_seen_subcommand_from remove" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand secret; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand secret; and __fish_seen_subcommand_from remove" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand secret; and __fish_seen_subcommand_from key" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand secret; and __fish_seen_subcommand_from key" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand secret; and __fish_seen_subcommand_from key" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand secret; and __fish_seen_subcommand_from key" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand secret; and __fish_seen_subcommand_from help" -f -a "set" -d 'Keeps a secret of an account: what is typed at a terminal, unseen, or standard input. It is never an argument, which everybody on this machine could see'
complete -c damctl -n "__fish_damctl_using_subcommand secret; and __fish_seen_subcommand_from help" -f -a "list" -d 'Lists accounts and the names of what is kept of each; never what it is'
complete -c damctl -n "__fish_damctl_using_subcommand secret; and __fish_seen_subcommand_from help" -f -a "remove" -d 'Forgets a secret of an account, or all of them'
complete -c damctl -n "__fish_damctl_using_subcommand secret; and __fish_seen_subcommand_from help" -f -a "key" -d 'Makes the key that opens an encrypted file of secrets. It is never overwritten'
complete -c damctl -n "__fish_damctl_using_subcommand secret; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c damctl -n "__fish_damctl_using_subcommand serve-search" -l listen -d 'Address and port. Default: the setting `listen`, 127.0.0.1:7878' -r
complete -c damctl -n "__fish_damctl_using_subcommand serve-search" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand serve-search" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand serve-search" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand serve-search" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand status" -l watch -d 'Shows what is being done, by whom and how fast, again every so many seconds, until ^C' -r
complete -c damctl -n "__fish_damctl_using_subcommand status" -l textfile -d 'Writes metrics for the textfile collector of Prometheus\' node exporter into this file, at once as a whole' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand status" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand status" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand status" -l json -d 'Prints a JSON object'
complete -c damctl -n "__fish_damctl_using_subcommand status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand status" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand events" -l after -d 'Only those after this number' -r
complete -c damctl -n "__fish_damctl_using_subcommand events" -l forget -d 'Forgets how far a subscriber has heard, by its name in \'damctl status\': one that is gone, or is to hear anew' -r
complete -c damctl -n "__fish_damctl_using_subcommand events" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand events" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand events" -s f -l follow -d 'Goes on with those that come, until ^C'
complete -c damctl -n "__fish_damctl_using_subcommand events" -l deliver -d 'Instead of printing them, sends them to the webhook and the NATS server of the settings, from where each has heard. \'serve-search\' does so by itself. Where a new one begins is said by --after'
complete -c damctl -n "__fish_damctl_using_subcommand events" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand events" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand history" -l seal -d 'A seal that was kept elsewhere, as NUMBER:DIGEST' -r
complete -c damctl -n "__fish_damctl_using_subcommand history" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand history" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand history" -l verify -d 'Looks at every event and every seal again. The exit code is 1 if one is not as it was'
complete -c damctl -n "__fish_damctl_using_subcommand history" -l json -d 'Prints JSON'
complete -c damctl -n "__fish_damctl_using_subcommand history" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand history" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand catalog; and not __fish_seen_subcommand_from copy backup restore rebuild record help" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand catalog; and not __fish_seen_subcommand_from copy backup restore rebuild record help" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand catalog; and not __fish_seen_subcommand_from copy backup restore rebuild record help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand catalog; and not __fish_seen_subcommand_from copy backup restore rebuild record help" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand catalog; and not __fish_seen_subcommand_from copy backup restore rebuild record help" -f -a "copy" -d 'Copies a catalog into another, new one, and compares both row by row'
complete -c damctl -n "__fish_damctl_using_subcommand catalog; and not __fish_seen_subcommand_from copy backup restore rebuild record help" -f -a "backup" -d 'Writes a backup: one SQLite file, of the catalog as it is at one moment, whoever works on it meanwhile'
complete -c damctl -n "__fish_damctl_using_subcommand catalog; and not __fish_seen_subcommand_from copy backup restore rebuild record help" -f -a "restore" -d 'Takes a backup in, into a catalog that has nothing in it, in SQLite or PostgreSQL'
complete -c damctl -n "__fish_damctl_using_subcommand catalog; and not __fish_seen_subcommand_from copy backup restore rebuild record help" -f -a "rebuild" -d 'Makes the catalog anew from what the store holds: into an empty one alone'
complete -c damctl -n "__fish_damctl_using_subcommand catalog; and not __fish_seen_subcommand_from copy backup restore rebuild record help" -f -a "record" -d 'Writes into the store what only the catalog knows of assets, so that it can be rebuilt. Other commands do so at their end'
complete -c damctl -n "__fish_damctl_using_subcommand catalog; and not __fish_seen_subcommand_from copy backup restore rebuild record help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c damctl -n "__fish_damctl_using_subcommand catalog; and __fish_seen_subcommand_from copy" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand catalog; and __fish_seen_subcommand_from copy" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand catalog; and __fish_seen_subcommand_from copy" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand catalog; and __fish_seen_subcommand_from copy" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand catalog; and __fish_seen_subcommand_from backup" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand catalog; and __fish_seen_subcommand_from backup" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand catalog; and __fish_seen_subcommand_from backup" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand catalog; and __fish_seen_subcommand_from backup" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand catalog; and __fish_seen_subcommand_from restore" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand catalog; and __fish_seen_subcommand_from restore" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand catalog; and __fish_seen_subcommand_from restore" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand catalog; and __fish_seen_subcommand_from restore" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand catalog; and __fish_seen_subcommand_from rebuild" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand catalog; and __fish_seen_subcommand_from rebuild" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand catalog; and __fish_seen_subcommand_from rebuild" -l from-store -d 'Says that it is to be made of the store alone'
complete -c damctl -n "__fish_damctl_using_subcommand catalog; and __fish_seen_subcommand_from rebuild" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand catalog; and __fish_seen_subcommand_from rebuild" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand catalog; and __fish_seen_subcommand_from record" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand catalog; and __fish_seen_subcommand_from record" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand catalog; and __fish_seen_subcommand_from record" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand catalog; and __fish_seen_subcommand_from record" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand catalog; and __fish_seen_subcommand_from help" -f -a "copy" -d 'Copies a catalog into another, new one, and compares both row by row'
complete -c damctl -n "__fish_damctl_using_subcommand catalog; and __fish_seen_subcommand_from help" -f -a "backup" -d 'Writes a backup: one SQLite file, of the catalog as it is at one moment, whoever works on it meanwhile'
complete -c damctl -n "__fish_damctl_using_subcommand catalog; and __fish_seen_subcommand_from help" -f -a "restore" -d 'Takes a backup in, into a catalog that has nothing in it, in SQLite or PostgreSQL'
complete -c damctl -n "__fish_damctl_using_subcommand catalog; and __fish_seen_subcommand_from help" -f -a "rebuild" -d 'Makes the catalog anew from what the store holds: into an empty one alone'
complete -c damctl -n "__fish_damctl_using_subcommand catalog; and __fish_seen_subcommand_from help" -f -a "record" -d 'Writes into the store what only the catalog knows of assets, so that it can be rebuilt. Other commands do so at their end'
complete -c damctl -n "__fish_damctl_using_subcommand catalog; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c damctl -n "__fish_damctl_using_subcommand jobs; and not __fish_seen_subcommand_from list show retry help" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand jobs; and not __fish_seen_subcommand_from list show retry help" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand jobs; and not __fish_seen_subcommand_from list show retry help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand jobs; and not __fish_seen_subcommand_from list show retry help" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand jobs; and not __fish_seen_subcommand_from list show retry help" -f -a "list" -d 'Lists jobs, those changed last first'
complete -c damctl -n "__fish_damctl_using_subcommand jobs; and not __fish_seen_subcommand_from list show retry help" -f -a "show" -d 'Shows a job and all its attempts'
complete -c damctl -n "__fish_damctl_using_subcommand jobs; and not __fish_seen_subcommand_from list show retry help" -f -a "retry" -d 'Opens failed jobs again; their stage\'s command then does them'
complete -c damctl -n "__fish_damctl_using_subcommand jobs; and not __fish_seen_subcommand_from list show retry help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c damctl -n "__fish_damctl_using_subcommand jobs; and __fish_seen_subcommand_from list" -l stage -d 'Only of this stage' -r
complete -c damctl -n "__fish_damctl_using_subcommand jobs; and __fish_seen_subcommand_from list" -l state -d 'Only in this state: ready, leased, done or failed' -r
complete -c damctl -n "__fish_damctl_using_subcommand jobs; and __fish_seen_subcommand_from list" -l limit -d 'Number of jobs' -r
complete -c damctl -n "__fish_damctl_using_subcommand jobs; and __fish_seen_subcommand_from list" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand jobs; and __fish_seen_subcommand_from list" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand jobs; and __fish_seen_subcommand_from list" -l json -d 'Prints a JSON object a line'
complete -c damctl -n "__fish_damctl_using_subcommand jobs; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand jobs; and __fish_seen_subcommand_from list" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand jobs; and __fish_seen_subcommand_from show" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand jobs; and __fish_seen_subcommand_from show" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand jobs; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand jobs; and __fish_seen_subcommand_from show" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand jobs; and __fish_seen_subcommand_from retry" -l stage -d 'Only of this stage' -r
complete -c damctl -n "__fish_damctl_using_subcommand jobs; and __fish_seen_subcommand_from retry" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand jobs; and __fish_seen_subcommand_from retry" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand jobs; and __fish_seen_subcommand_from retry" -l all -d 'All failed jobs (of the stage, when one is given)'
complete -c damctl -n "__fish_damctl_using_subcommand jobs; and __fish_seen_subcommand_from retry" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand jobs; and __fish_seen_subcommand_from retry" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand jobs; and __fish_seen_subcommand_from help" -f -a "list" -d 'Lists jobs, those changed last first'
complete -c damctl -n "__fish_damctl_using_subcommand jobs; and __fish_seen_subcommand_from help" -f -a "show" -d 'Shows a job and all its attempts'
complete -c damctl -n "__fish_damctl_using_subcommand jobs; and __fish_seen_subcommand_from help" -f -a "retry" -d 'Opens failed jobs again; their stage\'s command then does them'
complete -c damctl -n "__fish_damctl_using_subcommand jobs; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c damctl -n "__fish_damctl_using_subcommand verify" -l level -d 'How closely: `head` asks the store; `sample` also reads small objects, and parts of large ones, other parts each time; `full` reads every byte. What looks wrong is always read to its end' -r -f -a "head\t'The store has each object, in its size, and its checksum where there is one to compare'
sample\t'Also some of the bytes, and the masters\' inventories'
full\t'Every byte, and the masters\' inventories'"
complete -c damctl -n "__fish_damctl_using_subcommand verify" -l asset -d 'Only these assets' -r
complete -c damctl -n "__fish_damctl_using_subcommand verify" -l collection -d 'Only assets of this collection' -r
complete -c damctl -n "__fish_damctl_using_subcommand verify" -l area -d 'Only what lies in this area: masters or renditions' -r
complete -c damctl -n "__fish_damctl_using_subcommand verify" -l location -d 'Only objects whose keys begin so' -r
complete -c damctl -n "__fish_damctl_using_subcommand verify" -l older-than -d 'Only what was not found sound, as closely, for so long: 180d, 12h' -r
complete -c damctl -n "__fish_damctl_using_subcommand verify" -l share -d 'Only so much of it: 1%' -r
complete -c damctl -n "__fish_damctl_using_subcommand verify" -l budget -d 'Only as much as is read with so many bytes: 200GB' -r
complete -c damctl -n "__fish_damctl_using_subcommand verify" -l rate -d 'Reads no faster than so many bytes a second: 80MB/s, 500K (thousands), or 1G' -r
complete -c damctl -n "__fish_damctl_using_subcommand verify" -l history -d 'Shows the looks at one object, the latest first, and looks at nothing' -r
complete -c damctl -n "__fish_damctl_using_subcommand verify" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand verify" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand verify" -l structure -d 'Holds every object of the masters against OCFL\'s specification instead of the catalog: names, declarations, inventories of all versions; with `--level full` the content\'s digests as well'
complete -c damctl -n "__fish_damctl_using_subcommand verify" -l drop -d 'Takes renditions that are damaged or missing out of store and catalog, so that `transcode` makes them again'
complete -c damctl -n "__fish_damctl_using_subcommand verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand verify" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand collect" -l days -d 'Only what began, or was written, so many days ago or earlier' -r
complete -c damctl -n "__fish_damctl_using_subcommand collect" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand collect" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand collect" -l yes -d 'Acts. Without it, what would be done is shown, and nothing is'
complete -c damctl -n "__fish_damctl_using_subcommand collect" -l dry-run -d 'Only shows, as it does without --yes'
complete -c damctl -n "__fish_damctl_using_subcommand collect" -l now -d 'Removes what is marked at once, and not after an hour: refused while another damctl is at work'
complete -c damctl -n "__fish_damctl_using_subcommand collect" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand collect" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand store; and not __fish_seen_subcommand_from policy usage help" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand store; and not __fish_seen_subcommand_from policy usage help" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand store; and not __fish_seen_subcommand_from policy usage help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand store; and not __fish_seen_subcommand_from policy usage help" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand store; and not __fish_seen_subcommand_from policy usage help" -f -a "policy" -d 'Shows in what the buckets are not as they are wanted, and what making them so would remove; --apply makes them so'
complete -c damctl -n "__fish_damctl_using_subcommand store; and not __fish_seen_subcommand_from policy usage help" -f -a "usage" -d 'Shows bytes and objects by area, collection, the profile\'s entry and month'
complete -c damctl -n "__fish_damctl_using_subcommand store; and not __fish_seen_subcommand_from policy usage help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c damctl -n "__fish_damctl_using_subcommand store; and __fish_seen_subcommand_from policy" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand store; and __fish_seen_subcommand_from policy" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand store; and __fish_seen_subcommand_from policy" -l apply -d 'Makes them so'
complete -c damctl -n "__fish_damctl_using_subcommand store; and __fish_seen_subcommand_from policy" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand store; and __fish_seen_subcommand_from policy" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand store; and __fish_seen_subcommand_from usage" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand store; and __fish_seen_subcommand_from usage" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand store; and __fish_seen_subcommand_from usage" -l json -d 'Prints a JSON object a line'
complete -c damctl -n "__fish_damctl_using_subcommand store; and __fish_seen_subcommand_from usage" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand store; and __fish_seen_subcommand_from usage" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand store; and __fish_seen_subcommand_from help" -f -a "policy" -d 'Shows in what the buckets are not as they are wanted, and what making them so would remove; --apply makes them so'
complete -c damctl -n "__fish_damctl_using_subcommand store; and __fish_seen_subcommand_from help" -f -a "usage" -d 'Shows bytes and objects by area, collection, the profile\'s entry and month'
complete -c damctl -n "__fish_damctl_using_subcommand store; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c damctl -n "__fish_damctl_using_subcommand export; and not __fish_seen_subcommand_from bagit validate fetch premis mhl sums catalog manifest help" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand export; and not __fish_seen_subcommand_from bagit validate fetch premis mhl sums catalog manifest help" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand export; and not __fish_seen_subcommand_from bagit validate fetch premis mhl sums catalog manifest help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand export; and not __fish_seen_subcommand_from bagit validate fetch premis mhl sums catalog manifest help" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand export; and not __fish_seen_subcommand_from bagit validate fetch premis mhl sums catalog manifest help" -f -a "bagit" -d 'Writes a bag by BagIt 1.0 (RFC 8493) of the active masters of these assets, with PREMIS and damctl\'s own record'
complete -c damctl -n "__fish_damctl_using_subcommand export; and not __fish_seen_subcommand_from bagit validate fetch premis mhl sums catalog manifest help" -f -a "validate" -d 'Finds each way in which a bag is not valid. The exit code is 1 when there is one'
complete -c damctl -n "__fish_damctl_using_subcommand export; and not __fish_seen_subcommand_from bagit validate fetch premis mhl sums catalog manifest help" -f -a "fetch" -d 'Fetches what a bag\'s fetch.txt names and is not in it. Each file is held against the manifests; the exit code is 1 when one cannot be had'
complete -c damctl -n "__fish_damctl_using_subcommand export; and not __fish_seen_subcommand_from bagit validate fetch premis mhl sums catalog manifest help" -f -a "premis" -d 'Prints what happened to an asset and its files, as PREMIS 3'
complete -c damctl -n "__fish_damctl_using_subcommand export; and not __fish_seen_subcommand_from bagit validate fetch premis mhl sums catalog manifest help" -f -a "mhl" -d 'Lays the files of a drive or an asset into a folder, as they were, and writes an ASC MHL hash list of them'
complete -c damctl -n "__fish_damctl_using_subcommand export; and not __fish_seen_subcommand_from bagit validate fetch premis mhl sums catalog manifest help" -f -a "sums" -d 'Prints digests as sha256sum does: \'sha256sum -c\' checks them from the store\'s folder'
complete -c damctl -n "__fish_damctl_using_subcommand export; and not __fish_seen_subcommand_from bagit validate fetch premis mhl sums catalog manifest help" -f -a "catalog" -d 'Prints a line for every asset'
complete -c damctl -n "__fish_damctl_using_subcommand export; and not __fish_seen_subcommand_from bagit validate fetch premis mhl sums catalog manifest help" -f -a "manifest" -d 'Prints what the archive has of an asset as JSON: generations, masters, renditions, captions'
complete -c damctl -n "__fish_damctl_using_subcommand export; and not __fish_seen_subcommand_from bagit validate fetch premis mhl sums catalog manifest help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from bagit" -l to -d 'The bag\'s folder; empty, or not there' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from bagit" -l algorithm -d 'The algorithm of its manifests. With sha512 every file is read' -r -f -a "sha256\t'As the archive knows its files'
sha512\t'As some want them'"
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from bagit" -l valid -d 'For how long the addresses are good: 12h, 7d at most' -r
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from bagit" -l profile -d 'The address of the BagIt profile that it follows, for bag-info.txt' -r
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from bagit" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from bagit" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from bagit" -l holey -d 'No payload: fetch.txt has addresses of it. The archive\'s store has to be a bucket'
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from bagit" -l copy -d 'Copies files and checks their bytes, even where they could share their place on the disk with the store'
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from bagit" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from bagit" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from validate" -l profile -d 'Also holds it against the rules of this BagIt profile, a JSON file' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from validate" -l from -d 'Fetches from this host even if it is in a network of our own; can be given again' -r
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from validate" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from validate" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from validate" -l own-profile -d 'Also holds it against the profile that its bag-info.txt names, which is fetched from there'
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from validate" -l json -d 'Prints a JSON object'
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from validate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from validate" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from fetch" -l from -d 'Fetches from this host even if it is in a network of our own; can be given again' -r
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from fetch" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from fetch" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from fetch" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from fetch" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from premis" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from premis" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from premis" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from premis" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from mhl" -l to -d 'The folder' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from mhl" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from mhl" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from mhl" -l copy -d 'Copies files, even where they could share their place on the disk with the store'
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from mhl" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from mhl" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from sums" -l area -d 'masters or renditions' -r
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from sums" -l collection -d 'Only of this collection' -r
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from sums" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from sums" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from sums" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from sums" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from catalog" -l format -d 'How' -r -f -a "csv\t'RFC 4180'
json\t'A JSON object a line'"
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from catalog" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from catalog" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from catalog" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from catalog" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from manifest" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from manifest" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from manifest" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from manifest" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from help" -f -a "bagit" -d 'Writes a bag by BagIt 1.0 (RFC 8493) of the active masters of these assets, with PREMIS and damctl\'s own record'
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from help" -f -a "validate" -d 'Finds each way in which a bag is not valid. The exit code is 1 when there is one'
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from help" -f -a "fetch" -d 'Fetches what a bag\'s fetch.txt names and is not in it. Each file is held against the manifests; the exit code is 1 when one cannot be had'
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from help" -f -a "premis" -d 'Prints what happened to an asset and its files, as PREMIS 3'
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from help" -f -a "mhl" -d 'Lays the files of a drive or an asset into a folder, as they were, and writes an ASC MHL hash list of them'
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from help" -f -a "sums" -d 'Prints digests as sha256sum does: \'sha256sum -c\' checks them from the store\'s folder'
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from help" -f -a "catalog" -d 'Prints a line for every asset'
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from help" -f -a "manifest" -d 'Prints what the archive has of an asset as JSON: generations, masters, renditions, captions'
complete -c damctl -n "__fish_damctl_using_subcommand export; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c damctl -n "__fish_damctl_using_subcommand profile; and not __fish_seen_subcommand_from check schema brand-schema order-schema default help" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand profile; and not __fish_seen_subcommand_from check schema brand-schema order-schema default help" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand profile; and not __fish_seen_subcommand_from check schema brand-schema order-schema default help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand profile; and not __fish_seen_subcommand_from check schema brand-schema order-schema default help" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand profile; and not __fish_seen_subcommand_from check schema brand-schema order-schema default help" -f -a "check" -d 'Checks a profile and shows what it asks for'
complete -c damctl -n "__fish_damctl_using_subcommand profile; and not __fish_seen_subcommand_from check schema brand-schema order-schema default help" -f -a "schema" -d 'Prints the JSON schema of profiles'
complete -c damctl -n "__fish_damctl_using_subcommand profile; and not __fish_seen_subcommand_from check schema brand-schema order-schema default help" -f -a "brand-schema" -d 'Prints the JSON schema of brands'
complete -c damctl -n "__fish_damctl_using_subcommand profile; and not __fish_seen_subcommand_from check schema brand-schema order-schema default help" -f -a "order-schema" -d 'Prints the JSON schema of `damctl render`\'s orders'
complete -c damctl -n "__fish_damctl_using_subcommand profile; and not __fish_seen_subcommand_from check schema brand-schema order-schema default help" -f -a "default" -d 'Prints the built-in profile'
complete -c damctl -n "__fish_damctl_using_subcommand profile; and not __fish_seen_subcommand_from check schema brand-schema order-schema default help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c damctl -n "__fish_damctl_using_subcommand profile; and __fish_seen_subcommand_from check" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand profile; and __fish_seen_subcommand_from check" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand profile; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand profile; and __fish_seen_subcommand_from check" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand profile; and __fish_seen_subcommand_from schema" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand profile; and __fish_seen_subcommand_from schema" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand profile; and __fish_seen_subcommand_from schema" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand profile; and __fish_seen_subcommand_from schema" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand profile; and __fish_seen_subcommand_from brand-schema" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand profile; and __fish_seen_subcommand_from brand-schema" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand profile; and __fish_seen_subcommand_from brand-schema" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand profile; and __fish_seen_subcommand_from brand-schema" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand profile; and __fish_seen_subcommand_from order-schema" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand profile; and __fish_seen_subcommand_from order-schema" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand profile; and __fish_seen_subcommand_from order-schema" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand profile; and __fish_seen_subcommand_from order-schema" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand profile; and __fish_seen_subcommand_from default" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand profile; and __fish_seen_subcommand_from default" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand profile; and __fish_seen_subcommand_from default" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand profile; and __fish_seen_subcommand_from default" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand profile; and __fish_seen_subcommand_from help" -f -a "check" -d 'Checks a profile and shows what it asks for'
complete -c damctl -n "__fish_damctl_using_subcommand profile; and __fish_seen_subcommand_from help" -f -a "schema" -d 'Prints the JSON schema of profiles'
complete -c damctl -n "__fish_damctl_using_subcommand profile; and __fish_seen_subcommand_from help" -f -a "brand-schema" -d 'Prints the JSON schema of brands'
complete -c damctl -n "__fish_damctl_using_subcommand profile; and __fish_seen_subcommand_from help" -f -a "order-schema" -d 'Prints the JSON schema of `damctl render`\'s orders'
complete -c damctl -n "__fish_damctl_using_subcommand profile; and __fish_seen_subcommand_from help" -f -a "default" -d 'Prints the built-in profile'
complete -c damctl -n "__fish_damctl_using_subcommand profile; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c damctl -n "__fish_damctl_using_subcommand render" -l out -d 'The folder for what is made, in place of the job\'s' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand render" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand render" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand render" -l dry-run -d 'Tells what would be made, as JSON; nothing is spoken or rendered'
complete -c damctl -n "__fish_damctl_using_subcommand render" -l warm -d 'Brings GStreamer\'s list of plugins up to date, and does nothing else'
complete -c damctl -n "__fish_damctl_using_subcommand render" -l zygote -d 'Forks into one that carries out an order, as often as it is asked to on its standard input'
complete -c damctl -n "__fish_damctl_using_subcommand render" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand render" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand generate" -s C -l archive -d 'The archive\'s folder. Default: the one with a damctl.yaml, from the working folder upward' -r -F
complete -c damctl -n "__fish_damctl_using_subcommand generate" -l log-format -d 'How progress is shown on standard error' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'A line for what matters'
json\t'A JSON object a line, for machines'
quiet\t'Nothing but errors'"
complete -c damctl -n "__fish_damctl_using_subcommand generate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c damctl -n "__fish_damctl_using_subcommand generate" -s V -l version -d 'Print version'
complete -c damctl -n "__fish_damctl_using_subcommand help; and not __fish_seen_subcommand_from init config doctor ingest drives certificate presign receive transcode enrich models infer replace rollback replicate archive restore collection index publish channel fanout search transcript token secret serve-search status events history catalog jobs verify collect store export profile render generate help" -f -a "init" -d 'Makes an archive in a folder: its configuration, catalog and store. Done again, it changes nothing'
complete -c damctl -n "__fish_damctl_using_subcommand help; and not __fish_seen_subcommand_from init config doctor ingest drives certificate presign receive transcode enrich models infer replace rollback replicate archive restore collection index publish channel fanout search transcript token secret serve-search status events history catalog jobs verify collect store export profile render generate help" -f -a "config" -d 'Tells about the configuration'
complete -c damctl -n "__fish_damctl_using_subcommand help; and not __fish_seen_subcommand_from init config doctor ingest drives certificate presign receive transcode enrich models infer replace rollback replicate archive restore collection index publish channel fanout search transcript token secret serve-search status events history catalog jobs verify collect store export profile render generate help" -f -a "doctor" -d 'Tells which codecs, plugins and tools are here, what each missing one costs, and how to get it'
complete -c damctl -n "__fish_damctl_using_subcommand help; and not __fish_seen_subcommand_from init config doctor ingest drives certificate presign receive transcode enrich models infer replace rollback replicate archive restore collection index publish channel fanout search transcript token secret serve-search status events history catalog jobs verify collect store export profile render generate help" -f -a "ingest" -d 'Takes drives, folders or files in: reads each byte once, keeps it, and accounts for every path'
complete -c damctl -n "__fish_damctl_using_subcommand help; and not __fish_seen_subcommand_from init config doctor ingest drives certificate presign receive transcode enrich models infer replace rollback replicate archive restore collection index publish channel fanout search transcript token secret serve-search status events history catalog jobs verify collect store export profile render generate help" -f -a "drives" -d 'Lists the drives that were taken in: what each is, where, when it was last looked at, and what it gave'
complete -c damctl -n "__fish_damctl_using_subcommand help; and not __fish_seen_subcommand_from init config doctor ingest drives certificate presign receive transcode enrich models infer replace rollback replicate archive restore collection index publish channel fanout search transcript token secret serve-search status events history catalog jobs verify collect store export profile render generate help" -f -a "certificate" -d 'Certifies what became of every path on a drive, so that it may be wiped, or not.'
complete -c damctl -n "__fish_damctl_using_subcommand help; and not __fish_seen_subcommand_from init config doctor ingest drives certificate presign receive transcode enrich models infer replace rollback replicate archive restore collection index publish channel fanout search transcript token secret serve-search status events history catalog jobs verify collect store export profile render generate help" -f -a "presign" -d 'Announces a file that somebody else will send, and gives the addresses to send it to'
complete -c damctl -n "__fish_damctl_using_subcommand help; and not __fish_seen_subcommand_from init config doctor ingest drives certificate presign receive transcode enrich models infer replace rollback replicate archive restore collection index publish channel fanout search transcript token secret serve-search status events history catalog jobs verify collect store export profile render generate help" -f -a "receive" -d 'Takes in what has arrived of the files that were announced'
complete -c damctl -n "__fish_damctl_using_subcommand help; and not __fish_seen_subcommand_from init config doctor ingest drives certificate presign receive transcode enrich models infer replace rollback replicate archive restore collection index publish channel fanout search transcript token secret serve-search status events history catalog jobs verify collect store export profile render generate help" -f -a "transcode" -d 'Makes the renditions that the profile wants and the archive lacks'
complete -c damctl -n "__fish_damctl_using_subcommand help; and not __fish_seen_subcommand_from init config doctor ingest drives certificate presign receive transcode enrich models infer replace rollback replicate archive restore collection index publish channel fanout search transcript token secret serve-search status events history catalog jobs verify collect store export profile render generate help" -f -a "enrich" -d 'Learns what is said, shown, seen and named in what the archive has'
complete -c damctl -n "__fish_damctl_using_subcommand help; and not __fish_seen_subcommand_from init config doctor ingest drives certificate presign receive transcode enrich models infer replace rollback replicate archive restore collection index publish channel fanout search transcript token secret serve-search status events history catalog jobs verify collect store export profile render generate help" -f -a "models" -d 'Gets, lists and verifies the models that learning needs'
complete -c damctl -n "__fish_damctl_using_subcommand help; and not __fish_seen_subcommand_from init config doctor ingest drives certificate presign receive transcode enrich models infer replace rollback replicate archive restore collection index publish channel fanout search transcript token secret serve-search status events history catalog jobs verify collect store export profile render generate help" -f -a "infer" -d 'Answers one question after the other about sound and pictures, with models that stay loaded: the process that `damctl enrich` starts'
complete -c damctl -n "__fish_damctl_using_subcommand help; and not __fish_seen_subcommand_from init config doctor ingest drives certificate presign receive transcode enrich models infer replace rollback replicate archive restore collection index publish channel fanout search transcript token secret serve-search status events history catalog jobs verify collect store export profile render generate help" -f -a "replace" -d 'Puts another file in the place of an asset\'s main file'
complete -c damctl -n "__fish_damctl_using_subcommand help; and not __fish_seen_subcommand_from init config doctor ingest drives certificate presign receive transcode enrich models infer replace rollback replicate archive restore collection index publish channel fanout search transcript token secret serve-search status events history catalog jobs verify collect store export profile render generate help" -f -a "rollback" -d 'Brings an earlier generation of an asset back, at once; gives up one that waits'
complete -c damctl -n "__fish_damctl_using_subcommand help; and not __fish_seen_subcommand_from init config doctor ingest drives certificate presign receive transcode enrich models infer replace rollback replicate archive restore collection index publish channel fanout search transcript token secret serve-search status events history catalog jobs verify collect store export profile render generate help" -f -a "replicate" -d 'Copies into each of the setting `replicas` what it lacks of the masters, and reads there what was copied'
complete -c damctl -n "__fish_damctl_using_subcommand help; and not __fish_seen_subcommand_from init config doctor ingest drives certificate presign receive transcode enrich models infer replace rollback replicate archive restore collection index publish channel fanout search transcript token secret serve-search status events history catalog jobs verify collect store export profile render generate help" -f -a "archive" -d 'Moves the masters of assets out of the hot area; their renditions stay'
complete -c damctl -n "__fish_damctl_using_subcommand help; and not __fish_seen_subcommand_from init config doctor ingest drives certificate presign receive transcode enrich models infer replace rollback replicate archive restore collection index publish channel fanout search transcript token secret serve-search status events history catalog jobs verify collect store export profile render generate help" -f -a "restore" -d 'Brings the masters of archived assets back'
complete -c damctl -n "__fish_damctl_using_subcommand help; and not __fish_seen_subcommand_from init config doctor ingest drives certificate presign receive transcode enrich models infer replace rollback replicate archive restore collection index publish channel fanout search transcript token secret serve-search status events history catalog jobs verify collect store export profile render generate help" -f -a "collection" -d 'Shows collections, and sets what may be done with their assets'
complete -c damctl -n "__fish_damctl_using_subcommand help; and not __fish_seen_subcommand_from init config doctor ingest drives certificate presign receive transcode enrich models infer replace rollback replicate archive restore collection index publish channel fanout search transcript token secret serve-search status events history catalog jobs verify collect store export profile render generate help" -f -a "index" -d 'Brings the search index up to date'
complete -c damctl -n "__fish_damctl_using_subcommand help; and not __fish_seen_subcommand_from init config doctor ingest drives certificate presign receive transcode enrich models infer replace rollback replicate archive restore collection index publish channel fanout search transcript token secret serve-search status events history catalog jobs verify collect store export profile render generate help" -f -a "publish" -d 'Sends renditions to channels: each once, with the place\'s confirmation'
complete -c damctl -n "__fish_damctl_using_subcommand help; and not __fish_seen_subcommand_from init config doctor ingest drives certificate presign receive transcode enrich models infer replace rollback replicate archive restore collection index publish channel fanout search transcript token secret serve-search status events history catalog jobs verify collect store export profile render generate help" -f -a "channel" -d 'Lists and checks the channels of channels.yaml'
complete -c damctl -n "__fish_damctl_using_subcommand help; and not __fish_seen_subcommand_from init config doctor ingest drives certificate presign receive transcode enrich models infer replace rollback replicate archive restore collection index publish channel fanout search transcript token secret serve-search status events history catalog jobs verify collect store export profile render generate help" -f -a "fanout" -d 'Has the jobs of a stage done by many machines: as an array of Slurm, or as an Indexed Job of Kubernetes'
complete -c damctl -n "__fish_damctl_using_subcommand help; and not __fish_seen_subcommand_from init config doctor ingest drives certificate presign receive transcode enrich models infer replace rollback replicate archive restore collection index publish channel fanout search transcript token secret serve-search status events history catalog jobs verify collect store export profile render generate help" -f -a "search" -d 'Finds assets'
complete -c damctl -n "__fish_damctl_using_subcommand help; and not __fish_seen_subcommand_from init config doctor ingest drives certificate presign receive transcode enrich models infer replace rollback replicate archive restore collection index publish channel fanout search transcript token secret serve-search status events history catalog jobs verify collect store export profile render generate help" -f -a "transcript" -d 'Brings what is said in an asset from a file of subtitles, or writes it into one'
complete -c damctl -n "__fish_damctl_using_subcommand help; and not __fish_seen_subcommand_from init config doctor ingest drives certificate presign receive transcode enrich models infer replace rollback replicate archive restore collection index publish channel fanout search transcript token secret serve-search status events history catalog jobs verify collect store export profile render generate help" -f -a "token" -d 'Makes, lists and takes back the tokens by which people and programs ask over HTTP'
complete -c damctl -n "__fish_damctl_using_subcommand help; and not __fish_seen_subcommand_from init config doctor ingest drives certificate presign receive transcode enrich models infer replace rollback replicate archive restore collection index publish channel fanout search transcript token secret serve-search status events history catalog jobs verify collect store export profile render generate help" -f -a "secret" -d 'Keeps, lists and forgets what opens the accounts that are published to: passwords, keys, tokens'
complete -c damctl -n "__fish_damctl_using_subcommand help; and not __fish_seen_subcommand_from init config doctor ingest drives certificate presign receive transcode enrich models infer replace rollback replicate archive restore collection index publish channel fanout search transcript token secret serve-search status events history catalog jobs verify collect store export profile render generate help" -f -a "serve-search" -d 'Answers searches, shows a page for them and plays renditions over HTTP'
complete -c damctl -n "__fish_damctl_using_subcommand help; and not __fish_seen_subcommand_from init config doctor ingest drives certificate presign receive transcode enrich models infer replace rollback replicate archive restore collection index publish channel fanout search transcript token secret serve-search status events history catalog jobs verify collect store export profile render generate help" -f -a "status" -d 'Shows what the archive holds and what is being done'
complete -c damctl -n "__fish_damctl_using_subcommand help; and not __fish_seen_subcommand_from init config doctor ingest drives certificate presign receive transcode enrich models infer replace rollback replicate archive restore collection index publish channel fanout search transcript token secret serve-search status events history catalog jobs verify collect store export profile render generate help" -f -a "events" -d 'Prints every change of state as a JSON line: when, what, of which asset or job'
complete -c damctl -n "__fish_damctl_using_subcommand help; and not __fish_seen_subcommand_from init config doctor ingest drives certificate presign receive transcode enrich models infer replace rollback replicate archive restore collection index publish channel fanout search transcript token secret serve-search status events history catalog jobs verify collect store export profile render generate help" -f -a "history" -d 'Shows what became of an asset, the newest first; or looks whether the record of events is whole'
complete -c damctl -n "__fish_damctl_using_subcommand help; and not __fish_seen_subcommand_from init config doctor ingest drives certificate presign receive transcode enrich models infer replace rollback replicate archive restore collection index publish channel fanout search transcript token secret serve-search status events history catalog jobs verify collect store export profile render generate help" -f -a "catalog" -d 'Moves, backs up, restores and rebuilds the catalog'
complete -c damctl -n "__fish_damctl_using_subcommand help; and not __fish_seen_subcommand_from init config doctor ingest drives certificate presign receive transcode enrich models infer replace rollback replicate archive restore collection index publish channel fanout search transcript token secret serve-search status events history catalog jobs verify collect store export profile render generate help" -f -a "jobs" -d 'Lists, shows and retries jobs'
complete -c damctl -n "__fish_damctl_using_subcommand help; and not __fish_seen_subcommand_from init config doctor ingest drives certificate presign receive transcode enrich models infer replace rollback replicate archive restore collection index publish channel fanout search transcript token secret serve-search status events history catalog jobs verify collect store export profile render generate help" -f -a "verify" -d 'Looks at stored objects again and compares them with the catalog'
complete -c damctl -n "__fish_damctl_using_subcommand help; and not __fish_seen_subcommand_from init config doctor ingest drives certificate presign receive transcode enrich models infer replace rollback replicate archive restore collection index publish channel fanout search transcript token secret serve-search status events history catalog jobs verify collect store export profile render generate help" -f -a "collect" -d 'Shows what is there and not wanted any more; with --yes, takes it away. Masters are never among it'
complete -c damctl -n "__fish_damctl_using_subcommand help; and not __fish_seen_subcommand_from init config doctor ingest drives certificate presign receive transcode enrich models infer replace rollback replicate archive restore collection index publish channel fanout search transcript token secret serve-search status events history catalog jobs verify collect store export profile render generate help" -f -a "store" -d 'Sets what is asked of the buckets, and shows what the archive takes'
complete -c damctl -n "__fish_damctl_using_subcommand help; and not __fish_seen_subcommand_from init config doctor ingest drives certificate presign receive transcode enrich models infer replace rollback replicate archive restore collection index publish channel fanout search transcript token secret serve-search status events history catalog jobs verify collect store export profile render generate help" -f -a "export" -d 'Hands out what the archive has in the forms of others: bags, PREMIS, ASC MHL, lists. docs/export.md has all of it'
complete -c damctl -n "__fish_damctl_using_subcommand help; and not __fish_seen_subcommand_from init config doctor ingest drives certificate presign receive transcode enrich models infer replace rollback replicate archive restore collection index publish channel fanout search transcript token secret serve-search status events history catalog jobs verify collect store export profile render generate help" -f -a "profile" -d 'Works with profiles'
complete -c damctl -n "__fish_damctl_using_subcommand help; and not __fish_seen_subcommand_from init config doctor ingest drives certificate presign receive transcode enrich models infer replace rollback replicate archive restore collection index publish channel fanout search transcript token secret serve-search status events history catalog jobs verify collect store export profile render generate help" -f -a "render" -d 'Makes a clip by a template: scenes of films, pictures and words, a spoken text, its captions, music, a brand'
complete -c damctl -n "__fish_damctl_using_subcommand help; and not __fish_seen_subcommand_from init config doctor ingest drives certificate presign receive transcode enrich models infer replace rollback replicate archive restore collection index publish channel fanout search transcript token secret serve-search status events history catalog jobs verify collect store export profile render generate help" -f -a "generate" -d 'Writes man pages, completions and JSON schemas'
complete -c damctl -n "__fish_damctl_using_subcommand help; and not __fish_seen_subcommand_from init config doctor ingest drives certificate presign receive transcode enrich models infer replace rollback replicate archive restore collection index publish channel fanout search transcript token secret serve-search status events history catalog jobs verify collect store export profile render generate help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "show" -d 'Shows each setting and where it came from'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from models" -f -a "list" -d 'Lists the models that are known or here: what each is for, in which languages, under which license'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from models" -f -a "pull" -d 'Gets models by name, with what they need, and compares them with known digests. What broke off is gone on with'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from models" -f -a "import" -d 'Takes a model of one\'s own: a folder of CTranslate2 (faster-whisper), which is converted; one of spaCy; one of E5 (model.onnx and tokenizer.json); or a file'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from models" -f -a "verify" -d 'Reads models from end to end and compares them with what came. The exit code is 1 if one is damaged'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from collection" -f -a "list" -d 'Shows all collections, and what is said of them'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from collection" -f -a "set" -d 'Changes what is said of one; what is not given stays, and an empty text takes it back'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from publish" -f -a "status" -d 'Lists publications: where, what of, how far, why not further'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from publish" -f -a "approve" -d 'Agrees to publications that wait for it'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from publish" -f -a "cancel" -d 'Gives up publications that are planned and not begun'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from publish" -f -a "retract" -d 'Takes publications back: asks their places to remove what is there, and keeps what they confirm'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from publish" -f -a "reconcile" -d 'Asks places what became of publications of which a reply was lost'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from publish" -f -a "settle" -d 'Says of a publication, which its place cannot tell about, how it is; somebody has looked'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from channel" -f -a "list" -d 'Lists the channels: where to, what is sent, what they take, how often'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from channel" -f -a "check" -d 'Asks places whether the credentials are good and what the account may do. The exit code is 1 if one is not well'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from channel" -f -a "login" -d 'Lets damctl into an account in a browser, and keeps the tokens where the setting \'secrets\' says'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from channel" -f -a "validate" -d 'Reads a file of channels and says what is wrong with it'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from fanout" -f -a "slurm" -d 'As an array of Slurm'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from fanout" -f -a "k8s" -d 'As an Indexed Job of Kubernetes'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from transcript" -f -a "import" -d 'Takes a file of subtitles (WebVTT or SubRip) as what is said in an asset. No model takes its place'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from transcript" -f -a "remove" -d 'Takes away what was imported as what is said in an asset. What a model heard counts again, where one has'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from transcript" -f -a "export" -d 'Prints what is said in an asset'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from token" -f -a "create" -d 'Makes a token and prints it, once: only its digest is kept'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from token" -f -a "list" -d 'Lists tokens: whose, what they may do, until when'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from token" -f -a "revoke" -d 'Takes a token back'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from secret" -f -a "set" -d 'Keeps a secret of an account: what is typed at a terminal, unseen, or standard input. It is never an argument, which everybody on this machine could see'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from secret" -f -a "list" -d 'Lists accounts and the names of what is kept of each; never what it is'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from secret" -f -a "remove" -d 'Forgets a secret of an account, or all of them'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from secret" -f -a "key" -d 'Makes the key that opens an encrypted file of secrets. It is never overwritten'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from catalog" -f -a "copy" -d 'Copies a catalog into another, new one, and compares both row by row'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from catalog" -f -a "backup" -d 'Writes a backup: one SQLite file, of the catalog as it is at one moment, whoever works on it meanwhile'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from catalog" -f -a "restore" -d 'Takes a backup in, into a catalog that has nothing in it, in SQLite or PostgreSQL'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from catalog" -f -a "rebuild" -d 'Makes the catalog anew from what the store holds: into an empty one alone'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from catalog" -f -a "record" -d 'Writes into the store what only the catalog knows of assets, so that it can be rebuilt. Other commands do so at their end'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from jobs" -f -a "list" -d 'Lists jobs, those changed last first'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from jobs" -f -a "show" -d 'Shows a job and all its attempts'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from jobs" -f -a "retry" -d 'Opens failed jobs again; their stage\'s command then does them'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from store" -f -a "policy" -d 'Shows in what the buckets are not as they are wanted, and what making them so would remove; --apply makes them so'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from store" -f -a "usage" -d 'Shows bytes and objects by area, collection, the profile\'s entry and month'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from export" -f -a "bagit" -d 'Writes a bag by BagIt 1.0 (RFC 8493) of the active masters of these assets, with PREMIS and damctl\'s own record'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from export" -f -a "validate" -d 'Finds each way in which a bag is not valid. The exit code is 1 when there is one'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from export" -f -a "fetch" -d 'Fetches what a bag\'s fetch.txt names and is not in it. Each file is held against the manifests; the exit code is 1 when one cannot be had'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from export" -f -a "premis" -d 'Prints what happened to an asset and its files, as PREMIS 3'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from export" -f -a "mhl" -d 'Lays the files of a drive or an asset into a folder, as they were, and writes an ASC MHL hash list of them'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from export" -f -a "sums" -d 'Prints digests as sha256sum does: \'sha256sum -c\' checks them from the store\'s folder'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from export" -f -a "catalog" -d 'Prints a line for every asset'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from export" -f -a "manifest" -d 'Prints what the archive has of an asset as JSON: generations, masters, renditions, captions'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from profile" -f -a "check" -d 'Checks a profile and shows what it asks for'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from profile" -f -a "schema" -d 'Prints the JSON schema of profiles'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from profile" -f -a "brand-schema" -d 'Prints the JSON schema of brands'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from profile" -f -a "order-schema" -d 'Prints the JSON schema of `damctl render`\'s orders'
complete -c damctl -n "__fish_damctl_using_subcommand help; and __fish_seen_subcommand_from profile" -f -a "default" -d 'Prints the built-in profile'
