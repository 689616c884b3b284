# Everything that must be there before a server can start: system packages, jars, ClickHouse's library, its launcher.
# shellcheck shell=bash
#
# What is installed is pinned by a lock file, and a copy of that lock file beside it says what it was installed from.

LIBCHDB=$DOWNLOADS/clickhouse/node_modules/@chdb/lib-linux-x64-gnu/libchdb.so

# Cheap enough to ask at every `up`.
installed() {
    pg_bin > /dev/null && java_home > /dev/null && has curl && node_is_recent &&
        jars_are_current && clickhouse_is_current && chserver_is_current
}

install_all() {
    mkdir -p "$DOWNLOADS"
    need_tools
    exec 8> "$DOWNLOADS/lock" # two instances share the downloads
    flock 8
    install_packages stack
    jars_are_current || install_jars
    clickhouse_is_current || install_clickhouse
    chserver_is_current || build_chserver
    exec 8>&-
}

# What cargo needs to compile the jobs' C libraries, and a test to set a job's clock back.
install_build_deps() {
    mkdir -p "$DOWNLOADS"
    install_packages build
    has cargo || die "cargo not found: install Rust, see https://rustup.rs"
}

# Servers that only tests stand in the way of a job.
install_test_deps() {
    mkdir -p "$DOWNLOADS"
    install_packages test
}

# --- system packages -------------------------------------------------------------------------------------------------

install_packages() { # PURPOSE
    local missing=() package
    mapfile -t missing < <(missing_packages "$1")
    ((${#missing[@]} > 0)) || return 0
    has apt-get || die "not found: ${missing[*]}; this system has no apt-get, install them by its own means"
    note "installing with apt-get: ${missing[*]}"
    as_root apt-get update -q > "$DOWNLOADS/apt.log" 2>&1 || { tail -n 5 "$DOWNLOADS/apt.log" >&2; die "apt-get update failed"; }
    for package in "${!missing[@]}"; do
        # An Ubuntu release has one PostgreSQL only, under this name whatever its number.
        if [[ ${missing[package]} == postgresql-15 ]]; then
            forbid_default_cluster
            apt-cache show postgresql-15 > /dev/null 2>&1 || missing[package]=postgresql
        fi
    done
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
        -o Dpkg::Options::=--force-confold "${missing[@]}" >> "$DOWNLOADS/apt.log" 2>&1 ||
        { tail -n 5 "$DOWNLOADS/apt.log" >&2; die "apt-get install ${missing[*]} failed"; }
    mapfile -t missing < <(missing_packages "$1")
    ((${#missing[@]} == 0)) || die "this release is too old, its packages are below what apt-packages.txt asks for: ${missing[*]}"
}

missing_packages() { # PURPOSE
    local package least purpose version
    while read -r package least purpose; do
        [[ $package != '#'* && ,$purpose, == *,$1,* ]] || continue
        if [[ $package == postgresql-* ]] && pg_bin > /dev/null; then continue; fi
        version=$(dpkg-query -W -f '${db:Status-Status} ${Version}' "$package" 2> /dev/null) || version=
        [[ $version == 'installed '* ]] && dpkg --compare-versions "${version#* }" ge "$least" && continue
        # pkgconf took the place of pkg-config, and kept its command.
        [[ $package == pkg-config ]] && has pkg-config && continue
        printf '%s\n' "$package"
    done < "$HERE/apt-packages.txt"
}

# Debian's package makes and starts a cluster of its own, on our port, unless this is there before it.
forbid_default_cluster() {
    local conf=/etc/postgresql-common/createcluster.conf
    [[ ! -f $conf ]] || return 0
    as_root mkdir -p "${conf%/*}"
    printf '%s\n' 'create_main_cluster = false' | as_root tee "$conf" > /dev/null
}

as_root() {
    if ((EUID == 0)); then "$@"; return; fi
    has sudo || die "not root and no sudo; as root: $*"
    sudo "$@"
}

# --- tools that are the user's own choice --------------------------------------------------------------------------------

# All that is missing at once, each in a line that says what to do.
need_tools() {
    local missing=() line
    java_home > /dev/null || missing+=("java 17 not found: apt-get install -y openjdk-17-jdk-headless maven")
    if ! jars_are_current; then has mvn || missing+=("mvn not found: apt-get install -y maven"); fi
    node_is_recent || missing+=("node 18 not found: apt-get install -y nodejs npm (if this release has it, else from nodejs.org)")
    if ! clickhouse_is_current; then has npm || missing+=("npm not found: apt-get install -y npm"); fi
    has flock || missing+=("flock not found: apt-get install -y util-linux")
    [[ $(uname -m) == x86_64 ]] || missing+=("ClickHouse's library is made for x86_64, this machine is $(uname -m)")
    for line in "${missing[@]}"; do note "$line"; done
    ((${#missing[@]} == 0)) || exit 1
}

has() { command -v "$1" > /dev/null; }

# `node --version` takes longer than all the rest of `installed`; one answer holds for as long as the program is the same.
node_is_recent() {
    local node known version
    node=$(command -v node) || return 1
    node=$(readlink -f "$node")
    known=$(stat -c '%n %s %Y' "$node")
    [[ ! -f $DOWNLOADS/node || $(< "$DOWNLOADS/node") != "$known" ]] || return 0
    version=$("$node" --version 2> /dev/null) || return 1
    version=${version#v}
    ((${version%%.*} >= 18)) || return 1
    mkdir -p "$DOWNLOADS"
    printf '%s\n' "$known" > "$DOWNLOADS/node"
}

# --- Kafka, Connect and Debezium -----------------------------------------------------------------------------------------

jars_are_current() { cmp -s "$HERE/jars.sha256" "$DOWNLOADS/jars/installed-from"; }

install_jars() {
    fetch_jars
    verify_jars "$DOWNLOADS/jars.new"
    format_template "$DOWNLOADS/jars.new"
    cp "$HERE/jars.sha256" "$DOWNLOADS/jars.new/installed-from"
    # The archives insist on the very files that they were made from.
    rm -rf "$DOWNLOADS/jars" "$CDS"
    mv "$DOWNLOADS/jars.new" "$DOWNLOADS/jars"
}

fetch_jars() {
    note "downloading the jars of Kafka, Connect and Debezium"
    rm -rf "$DOWNLOADS/jars.new" # the plugin adds to a folder, it never removes
    mkdir -p "$DOWNLOADS/jars.new"
    mvn -B -q -f "$HERE/pom.xml" -Dstyle.color=never \
        org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
        -DincludeScope=runtime -DoutputDirectory="$DOWNLOADS/jars.new" > "$DOWNLOADS/mvn.log" 2>&1 ||
        { head -n 10 "$DOWNLOADS/mvn.log" >&2; die "maven could not fetch the jars of local-stack/pom.xml"; }
}

verify_jars() { # FOLDER
    (cd "$1" && sha256sum --strict --quiet -c "$HERE/jars.sha256") >&2 ||
        die "the jars are not those of local-stack/jars.sha256 (if pom.xml was changed on purpose: local-stack/stack lock)"
    local jars=("$1"/*.jar)
    ((${#jars[@]} == $(wc -l < "$HERE/jars.sha256"))) ||
        die "there are ${#jars[@]} jars, local-stack/jars.sha256 names $(wc -l < "$HERE/jars.sha256") (see local-stack/stack lock)"
}

# The features of a new cluster, as Kafka's own tool sets them: asked once, copied by every `up` on an empty state.
format_template() { # FOLDER WITH JARS
    local folder=$DOWNLOADS/kafka-format
    rm -rf "$folder"
    mkdir -p "$folder"
    DATA=$folder KAFKA_PORT=9092 KAFKA_CONTROLLER_PORT=9093 \
        render "$HERE/conf/kafka.properties" DATA KAFKA_PORT KAFKA_CONTROLLER_PORT > "$folder/kafka.properties"
    "$(java_home)/bin/java" -XX:TieredStopAtLevel=1 -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp "$1/*" \
        kafka.tools.StorageTool format -t "$(kafka_id)" -c "$folder/kafka.properties" > "$folder/log" 2>&1 ||
        { tail -n 10 "$folder/log" >&2; die "kafka's storage tool failed"; }
    mv "$folder/kafka/bootstrap.checkpoint" "$folder/"
}

# --- ClickHouse ----------------------------------------------------------------------------------------------------------

clickhouse_is_current() { cmp -s "$HERE/npm/package-lock.json" "$DOWNLOADS/clickhouse/installed-from"; }

install_clickhouse() {
    local folder=$DOWNLOADS/clickhouse
    note "downloading ClickHouse (180 MB)"
    rm -rf "$folder"
    mkdir -p "$folder"
    cp "$HERE/npm/package.json" "$HERE/npm/package-lock.json" "$HERE/npm/.npmrc" "$folder/"
    (cd "$folder" && npm ci --ignore-scripts --loglevel=error) > "$DOWNLOADS/npm.log" 2>&1 ||
        { tail -n 10 "$DOWNLOADS/npm.log" >&2; die "npm could not fetch the packages of local-stack/npm/package-lock.json"; }
    cp "$HERE/npm/package-lock.json" "$folder/installed-from"
}

chserver_is_current() { cmp -s "$HERE/chserver.c" "$DOWNLOADS/chserver.c"; }

build_chserver() {
    # -rdynamic: the library is to find our abort() in place of the C library's.
    gcc -O2 -Wall -Wextra -rdynamic -o "$DOWNLOADS/chserver.new" "$HERE/chserver.c" -ldl || die "chserver.c does not compile"
    mv -f "$DOWNLOADS/chserver.new" "$DOWNLOADS/chserver"
    cp "$HERE/chserver.c" "$DOWNLOADS/chserver.c"
}

# --- new versions --------------------------------------------------------------------------------------------------------

# After a change in pom.xml or npm/package.json: fetch what they ask for now, and write down what that is.
write_locks() {
    mkdir -p "$DOWNLOADS"
    need_tools
    fetch_jars
    (cd "$DOWNLOADS/jars.new" && sha256sum -- *.jar) > "$HERE/jars.sha256"
    (cd "$HERE/npm" && npm install --package-lock-only --ignore-scripts --loglevel=error > /dev/null)
    note "written: local-stack/jars.sha256, local-stack/npm/package-lock.json"
}
