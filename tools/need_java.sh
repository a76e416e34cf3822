#!/bin/sh
# Say which system package is missing where there is no Java 17 or newer.
java="${JAVA_HOME:+$JAVA_HOME/bin/}java"
version=$("$java" -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1)
if [ "${version:-0}" -lt 17 ]; then
    echo "The Spark tests need Java 17 or newer; found: ${version:-none}. On Debian and Ubuntu: apt-get install openjdk-17-jre-headless" >&2
    exit 1
fi
