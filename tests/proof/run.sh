#!/usr/bin/env bash
# What other people's tools say of the server: conformance of HTTP/2 and TLS, slow clients, floods. Some six minutes.
#
#   tests/proof/run.sh                      # builds a release of this checkout and proves that
#   tests/proof/run.sh PROGRAM              # another one
#   H2SPEC=/path/to/h2spec tests/proof/run.sh
#
# Tools come from apt (as root), pip and crates.io, into target/proof. h2spec is in none of these: where it is not found, that is said.
# One line for each proof, its output beside it in target/proof; exit 1 when one failed, 2 when a tool is missing that could be installed.
# Never here: a server that is not our own.
# shellcheck disable=SC2317 # Proofs are called by `proof`.
set -euo pipefail
cd "$(dirname "$0")/../.."
dir=$PWD/target/proof
mkdir -p "$dir"

# ---- Tools

need() { # PROGRAM PACKAGE
  command -v "$1" > /dev/null || missing+=("$2")
}
missing=()
need testssl testssl.sh
need slowhttptest slowhttptest
need openssl openssl
need curl curl
need python3 python3-venv
if [[ ${#missing[@]} -gt 0 ]]; then
  install="apt-get install --yes --no-install-recommends ${missing[*]}"
  if [[ $EUID -ne 0 ]] || ! { apt-get update --quiet && $install; }; then
    echo "missing: sudo $install" >&2
    exit 2
  fi
fi
[[ -x $dir/venv/bin/sslyze ]] || { python3 -m venv "$dir/venv" && "$dir/venv/bin/pip" install --quiet sslyze; } || exit 2
[[ -x $dir/bin/httpwg ]] || cargo install --quiet --locked --root "$dir" httpwg-cli@0.2.5 || exit 2
h2spec=${H2SPEC:-$(command -v h2spec || true)}

cargo build --quiet --release --package tidegate-load
load=$PWD/target/release/tidegate-load
program=${1:-$PWD/target/release/tidegate}
[[ $# -gt 0 ]] || cargo build --quiet --release

# ---- Certificates of an authority of our own, with what a public one would have.

pki() {
  openssl ecparam -genkey -name prime256v1 -noout -out ca.key
  openssl req -x509 -new -key ca.key -days 90 -subj "/CN=Proof" -addext keyUsage=critical,keyCertSign,cRLSign -out ca.pem
  openssl ecparam -genkey -name prime256v1 -noout | openssl pkcs8 -topk8 -nocrypt -out leaf.key
  openssl req -new -key leaf.key -subj "/CN=localhost" -out leaf.csr
  printf '%s\n' subjectAltName=DNS:localhost,IP:127.0.0.1 extendedKeyUsage=serverAuth keyUsage=critical,digitalSignature \
    basicConstraints=CA:FALSE crlDistributionPoints=URI:http://127.0.0.1:9/none > ext
  openssl x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 90 -extfile ext -out leaf.pem
  cat leaf.pem ca.pem > chain.pem
}
(cd "$dir" && pki) > "$dir/pki.log" 2>&1

# ---- Servers

servers=()
stop() {
  for pid in "${servers[@]}"; do kill "$pid" 2> /dev/null || true; done
}
trap stop EXIT

# Starts one on free ports; `plain` and `tls` are where it listens.
serve() { # PROFILE
  cat > "$dir/$1.toml" << CONFIG
server = { listen = "127.0.0.1:0" }
tls = { listen = "127.0.0.1:0", profile = "$1", certificate = [{ chain = "$dir/chain.pem", key = "$dir/leaf.key" }] }
ops = { listen = "127.0.0.1:0" }
log = { access = "off" }
limiter = { ip = "off", openid = "off" }
database = { primary = "sqlite::memory:" }
app = [{ appid = "wx0123456789abcdef", secret = "0123456789abcdef0123456789abcdef" }]
token = { key = [{ kid = "proof", secret = "thirty-two-bytes-that-nobody-else-knows" }] }
route = [
  { path = "/", method = ["GET", "POST"], auth = "none", action = { respond = { body = "Hello, World!" } } },
  { path = "/ping", method = "GET", auth = "none", priority = "core", action = { respond = { body = "{}" } } },
  { path = "/body", method = "POST", auth = "none", action = { respond = { body = "{}" } } },
  { path = "/long", method = "GET", auth = "none", action = { respond = { body = "$(head -c 300000 /dev/zero | tr '\0' x)" } } },
]
CONFIG
  : > "$dir/$1.log"
  "$program" run --config "$dir/$1.toml" > "$dir/$1.log" 2>&1 &
  servers+=($!)
  for _ in {1..100}; do
    if grep -q "^metrics and health" "$dir/$1.log"; then break; fi
    sleep 0.1
  done
  plain=$(sed -n 's/^listening on \([0-9.:]*\)$/\1/p' "$dir/$1.log")
  tls=$(sed -n 's/^listening on \([0-9.:]*\) with TLS$/\1/p' "$dir/$1.log")
  : "${plain:?$program does not start: $dir/$1.log}" "${tls:?}"
}

failed=0
proof() { # NAME COMMAND...
  local name=$1 log
  log="$dir/${name// /-}.log"
  shift
  if "$@" > "$log" 2>&1; then
    echo "ok      $name"
  else
    echo "FAILED  $name: $log"
    failed=1
  fi
}

# Honest clients beside slow ones are all answered with 200.
slow() { # URL PATH MODE...
  local url=$1 path=$2
  shift 2
  slowhttptest -c 4000 -r 1000 -l 15 -p 3 "$@" -u "$url$path" &
  local attack=$!
  "$load" gen --url "$url/ping" --connections 16 --rate 2000 --duration 10s | tee "$dir/honest"
  wait "$attack"
  grep -q '"errors":{"connect":0,"send":0,"receive":0,"closed":0,"malformed":0,"timeout":0}' "$dir/honest" &&
    grep -qE '"status":\{"200":[0-9]+\}' "$dir/honest"
}

testssl_finds_nothing() { # HOST:PORT
  rm -f "$dir/testssl.json"
  testssl --quiet --color 0 --warnings off --add-ca "$dir/ca.pem" --severity MEDIUM --jsonfile "$dir/testssl.json" "$1" || true
  grep -q '^\[' "$dir/testssl.json" && ! grep -E '"severity" *: "(MEDIUM|HIGH|CRITICAL)"' "$dir/testssl.json"
}

# ---- Proofs

serve modern
proof "sslyze modern" "$dir/venv/bin/sslyze" --certinfo_ca_file="$dir/ca.pem" --mozilla_config=modern "localhost:${tls#*:}"
serve intermediate
proof "sslyze intermediate" "$dir/venv/bin/sslyze" --certinfo_ca_file="$dir/ca.pem" --mozilla_config=intermediate "localhost:${tls#*:}"
proof "testssl" testssl_finds_nothing "localhost:${tls#*:}"
proof "httpwg" "$dir/bin/httpwg" --address "$plain" --filter "RFC 9113"
if [[ -n $h2spec ]]; then
  # Not in the clear: whoever begins there with something else than the preface speaks HTTP/1 and is told 400 in it (RFC 9113 §3.4
  # lets the GOAWAY go), which h2spec reads as a broken frame (3.5, case 2).
  proof "h2spec TLS" "$h2spec" --strict -t -k -h 127.0.0.1 -p "${tls#*:}"
else
  echo "not run h2spec: get it from https://github.com/summerwind/h2spec/releases and name it in H2SPEC"
fi
proof "floods" tests/flood/flood.py "$plain" --h2c --post-path /body
proof "floods TLS" tests/flood/flood.py "$tls" --post-path /body
for url in "http://$plain" "https://$tls"; do
  proof "slow heads ${url%%:*}" slow "$url" / -H -i 5
  proof "slow bodies ${url%%:*}" slow "$url" /body -B -i 5 -s 4000
  proof "ranges ${url%%:*}" slow "$url" /long -R -a 5 -b 2000
  proof "slow readers ${url%%:*}" slow "$url" /long -X -w 512 -y 1024 -n 5 -z 32 -k 3
done
exit "$failed"
