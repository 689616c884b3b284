# The two Java servers: one set of jars, one way to start, and class archives that halve their start.
# shellcheck shell=bash

# The class archive (AppCDS) of a server is written by its first orderly stop and used from the next start on.
# Its name carries all that it depends on; Java ignores a foreign archive, but says nothing and is slow.
class_archive() { # NAME
    local key
    key=$({ cat "$HERE/jars.sha256" "$(java_home)/release"; printf '%s' "$DOWNLOADS"; } | sha256sum)
    printf '%s\n' "$CDS/$1-${key:0:12}.jsa"
}

launch_jvm() { # NAME HEAP MAIN-CLASS CONFIG
    local name=$1 heap=$2 main=$3 config=$4 archive options
    archive=$(class_archive "$name")
    # SerialGC and C1 alone: two small servers that are to be ready soon, on few cores.
    options=(-Xms64m "-Xmx$heap" -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xss512k
        -Duser.timezone=UTC -Xlog:cds=off -Xlog:cds+dynamic=off
        # log4j-core is left out of pom.xml; Kafka needs the API's own small implementation then.
        -Dlog4j2.loggerContextFactory=org.apache.logging.log4j.simple.SimpleLoggerContextFactory
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=${STACK_LOG_LEVEL:-warn}"
        -Dorg.slf4j.simpleLogger.showDateTime=true
        -Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd\'T\'HH:mm:ss.SSS\'Z\'
        # This one line says when the broker is ready.
        -Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info)
    if [[ -f $archive ]]; then
        options+=("-XX:SharedArchiveFile=$archive")
    else
        # Under another name until the server has stopped: a half-written archive is never used.
        mkdir -p "$CDS"
        printf '%s\n' "$archive.$$.new" "$archive" > "$RUN/$name.archive"
        options+=("-XX:ArchiveClassesAtExit=$archive.$$.new")
    fi
    CLASSPATH=$(class_path) launch "$name" "$(java_home)/bin/java" "${options[@]}" "$main" "$config"
}

# In sorted order, which the archive insists on and java's own wildcard does not promise.
class_path() {
    local jars=("$DOWNLOADS"/jars/*.jar)
    (IFS=:; printf '%s' "${jars[*]}")
}

keep_class_archive() { # NAME
    local new archive
    [[ -f $RUN/$1.archive ]] || return 0
    { read -r new && read -r archive; } < "$RUN/$1.archive"
    # Java itself tells whether it is whole and fits.
    if [[ -s $new ]] && CLASSPATH=$(class_path) "$(java_home)/bin/java" -Xshare:on "-XX:SharedArchiveFile=$new" \
        -XX:+UseSerialGC -version > /dev/null 2>&1; then
        mv -f "$new" "$archive"
    fi
}

drop_class_archive() { # NAME
    local new
    [[ -f $RUN/$1.archive ]] || return 0
    read -r new < "$RUN/$1.archive"
    rm -f "$new" "$RUN/$1.archive"
}

# The first Java of at least version 17: the one that is asked for, the one on the PATH, any installed one.
java_home() {
    local java home version
    for java in "${JAVA_HOME:-/nonexistent}/bin/java" "$(command -v java || true)" /usr/lib/jvm/*/bin/java; do
        [[ -x $java ]] || continue
        home=$(readlink -f "$java")
        home=${home%/bin/java}
        version=$(sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$home/release" 2> /dev/null) || continue
        if ((${version:-0} >= 17)); then
            printf '%s\n' "$home"
            return
        fi
    done
    return 1
}
