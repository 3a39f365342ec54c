#!/usr/bin/env bash
# completion.sh PROGRAM <HELP: bash completion of PROGRAM's commands and flags,
# from the help that it prints: lines of "  [PROGRAM] COMMAND… [-flag]… ARGUMENT".
set -eu
awk -v program="$1" '
  /^  [a-z]/ {
    n = 1
    if ($1 == program) n = 2
    else if (seen_own) next # a continued text
    if ($1 == program) seen_own = 1
    path = $n
    if ($(n + 1) ~ /^[a-z]+$/ && $1 == program && two[program, $n] != "no" && $(n + 1) !~ /^(make|print|run|say)$/) {
      path = $n " " $(n + 1)
      second[$n] = second[$n] " " $(n + 1)
    }
    if (!($n in first)) { first[$n] = 1; words = words " " $n }
    line = $0
    while (match(line, /[[ (]-[a-z][a-z-]*/)) {
      flag = substr(line, RSTART, RLENGTH)
      gsub(/[^-a-z]/, "", flag)
      if (!((path, flag) in has)) { has[path, flag] = 1; flags[path] = flags[path] " " flag }
      line = substr(line, RSTART + RLENGTH)
    }
  }
  END {
    print "# bash completion of " program ", made from its help"
    print "_munjigi_" program "() {"
    print "  local word=${COMP_WORDS[COMP_CWORD]} first=${COMP_WORDS[1]-} second=${COMP_WORDS[2]-}"
    print "  COMPREPLY=()"
    print "  if [ \"$COMP_CWORD\" = 1 ]; then"
    print "    mapfile -t COMPREPLY < <(compgen -W \"" substr(words, 2) " help\" -- \"$word\")"
    print "    return"
    print "  fi"
    print "  case \"$COMP_CWORD $first\" in"
    for (f in second) print "  \"2 " f "\") mapfile -t COMPREPLY < <(compgen -W \"" substr(second[f], 2) "\" -- \"$word\"); return ;;" | "sort"
    close("sort")
    print "  esac"
    print "  case \"$word\" in -*)"
    print "    case \"$first $second\" in"
    for (p in flags) print "    \"" p "\"*) mapfile -t COMPREPLY < <(compgen -W \"-config" flags[p] "\" -- \"$word\") ;;" | "sort -r"
    close("sort -r")
    print "    *) mapfile -t COMPREPLY < <(compgen -W \"-config -h\" -- \"$word\") ;;"
    print "    esac"
    print "  esac"
    print "}"
    print "complete -o default -F _munjigi_" program " " program
  }'
