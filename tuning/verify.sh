#!/usr/bin/env bash
# Compares each setting of 90-tidegate.conf with the running kernel: one line a setting, exit 1 when one differs.
# Changes nothing and needs no rights. TIDEGATE_PROC_SYS names another tree than /proc/sys to look at.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
conf="$here/90-tidegate.conf"
proc_sys=${TIDEGATE_PROC_SYS:-/proc/sys}

# holds RULE WANTED ACTUAL: whether the running value is right.
holds() {
  case "$1" in
    least) [[ $3 -ge $2 ]] ;;
    most) [[ $3 -le $2 ]] ;;
    *) [[ $3 == "$2" ]] ;;
  esac
}

differ=0
rule=exact
printf '%-4s  %-38s %-14s %s\n' '' setting wanted actual
while IFS= read -r line; do
  case "$line" in
    '# At least:'*) rule=least; continue ;;
    '# At most:'*) rule=most; continue ;;
    '#'*) continue ;;
    '') rule=exact; continue ;;
  esac
  key=${line%%=*}
  key=${key//[[:space:]]/}
  wanted=$(xargs <<<"${line#*=}")
  optional=no
  if [[ $key == -* ]]; then
    optional=yes
    key=${key#-}
  fi
  file="$proc_sys/${key//.//}"
  if [[ -r $file ]]; then
    # The kernel separates several values by tabs.
    actual=$(xargs <"$file")
  elif [[ $optional == yes ]]; then
    printf '%-4s  %-38s %-14s %s\n' ok "$key" "$wanted" "not in this kernel"
    continue
  else
    actual=unreadable
  fi
  verdict=ok
  if [[ $actual == unreadable ]] || ! holds "$rule" "$wanted" "$actual"; then
    verdict=BAD
    differ=$((differ + 1))
  fi
  printf '%-4s  %-38s %-14s %s\n' "$verdict" "$key" "$wanted" "$actual"
done <"$conf"

if [[ $differ -gt 0 ]]; then
  echo "$differ settings differ: sudo $here/apply.sh"
  exit 1
fi
echo "all settings are in force"
