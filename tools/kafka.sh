#!/usr/bin/env bash
# Apache Kafka (KRaft) on loopback, for tests and trials. usage: tools/kafka.sh fetch | start [--brokers N] | stop [ID] | kill ID |
# resume ID | status | brokers | wipe
# KAFKA_DATA is the folder of the brokers' data (build/kafka/data), KAFKA_PORT the first broker's port (9092): broker I listens on
# KAFKA_PORT + 2 (I - 1), its controller on the port after that. Data stays until `wipe`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
libs=$PWD/build/kafka/libs
data=${KAFKA_DATA:-$PWD/build/kafka/data}
port=${KAFKA_PORT:-9092}

fetch() {
  if [ -f "$libs/.ready" ] && cmp -s tools/kafka/jars.sha256 "$libs/.ready"; then return; fi
  echo "fetching the broker's jars" >&2
  rm -rf "$libs"
  mkdir -p "$libs"
  mvn -B -q -f tools/kafka/pom.xml dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$libs" >&2
  (cd "$libs" && sha256sum --quiet --strict -c "$OLDPWD/tools/kafka/jars.sha256") >&2
  if [ "$(ls "$libs" | wc -l)" != "$(wc -l <tools/kafka/jars.sha256)" ]; then
    echo "more jars came than tools/kafka/jars.sha256 names" >&2
    return 1
  fi
  cp tools/kafka/jars.sha256 "$libs/.ready"
}

broker_port() { echo $((port + 2 * ($1 - 1))); }
count() { cat "$data/count" 2>/dev/null || echo 0; }
alive() { [ -f "$data/$1/pid" ] && kill -0 "$(cat "$data/$1/pid")" 2>/dev/null; }
addresses() {
  local list="" id
  for id in $(seq "$(count)"); do list+="${list:+,}127.0.0.1:$(broker_port "$id")"; done
  echo "$list"
}

configure() { # ID COUNT
  local id=$1 all=$2 voters="" i copies=$2
  [ "$copies" -le 3 ] || copies=3
  for i in $(seq "$all"); do voters+="${voters:+,}$i@127.0.0.1:$(($(broker_port "$i") + 1))"; done
  mkdir -p "$data/$id"
  cat >"$data/$id/server.properties" <<TXT
process.roles=broker,controller
node.id=$id
controller.quorum.voters=$voters
listeners=PLAINTEXT://127.0.0.1:$(broker_port "$id"),CONTROLLER://127.0.0.1:$(($(broker_port "$id") + 1))
advertised.listeners=PLAINTEXT://127.0.0.1:$(broker_port "$id")
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs=$data/$id/log
auto.create.topics.enable=false
num.partitions=3
default.replication.factor=$copies
min.insync.replicas=$(((copies + 1) / 2))
offsets.topic.replication.factor=$copies
offsets.topic.num.partitions=3
transaction.state.log.replication.factor=$copies
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=3
share.coordinator.state.topic.replication.factor=$copies
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=10485760
log.cleaner.threads=1
TXT
  if [ ! -f "$data/$id/log/meta.properties" ]; then
    java -Xmx128m -cp "$libs/*" kafka.tools.StorageTool format -t "$(cat "$data/cluster")" -c "$data/$id/server.properties" \
      >"$data/$id/format.log" 2>&1 || { cat "$data/$id/format.log" >&2; return 1; }
  fi
}

answers() { (exec 3<>"/dev/tcp/127.0.0.1/$(broker_port "$1")") 2>/dev/null; }
launch() { # ID
  alive "$1" && return
  if answers "$1"; then
    echo "port $(broker_port "$1") is another process's" >&2
    return 1
  fi
  nohup java -Xms64m -Xmx"${KAFKA_HEAP:-256m}" -XX:+UseSerialGC -Dlog4j2.disable.jmx=true -cp "$libs/*" kafka.Kafka \
    "$data/$1/server.properties" >>"$data/$1/out.log" 2>&1 </dev/null &
  echo $! >"$data/$1/pid"
}

await() { # ID
  local _
  for _ in $(seq 300); do
    answers "$1" && return
    alive "$1" || break
    sleep 0.2
  done
  echo "broker $1 did not come up; the end of $data/$1/out.log:" >&2
  tail -5 "$data/$1/out.log" >&2
  return 1
}

start() { # [--brokers N]
  local all=1 id
  if [ "${1:-}" = --brokers ]; then all=${2:?--brokers needs a number}; fi
  if [ "$(count)" != 0 ] && [ "$(count)" != "$all" ]; then
    echo "$data has a cluster of $(count); wipe it first (tools/kafka.sh wipe) to have $all" >&2
    return 1
  fi
  command -v java >/dev/null || { echo "java is missing: ./dev kafka start installs it" >&2; return 1; }
  fetch
  mkdir -p "$data"
  if [ ! -f "$data/cluster" ]; then
    java -Xmx128m -cp "$libs/*" kafka.tools.StorageTool random-uuid 2>/dev/null >"$data/cluster"
  fi
  echo "$all" >"$data/count"
  for id in $(seq "$all"); do configure "$id" "$all"; done
  for id in $(seq "$all"); do launch "$id"; done
  for id in $(seq "$all"); do await "$id"; done
  echo "kafka: $(addresses)"
}

end() { # SIGNAL [ID]
  local id _
  for id in ${2:-$(seq "$(count)")}; do
    alive "$id" || continue
    kill "-$1" "$(cat "$data/$id/pid")"
  done
  for id in ${2:-$(seq "$(count)")}; do
    for _ in $(seq 150); do alive "$id" || break; sleep 0.2; done
    # A lone controller may wait for a quorum that is gone.
    if alive "$id"; then kill -KILL "$(cat "$data/$id/pid")"; fi
    rm -f "$data/$id/pid"
  done
}

status() {
  local id
  [ "$(count)" != 0 ] || { echo "no cluster in $data"; return 1; }
  for id in $(seq "$(count)"); do
    if alive "$id"; then echo "broker $id: 127.0.0.1:$(broker_port "$id"), process $(cat "$data/$id/pid")"; else echo "broker $id: stopped"; fi
  done
}

command=${1:-status}
shift || true
case $command in
  fetch) fetch ;;
  start) start "$@" ;;
  stop) end TERM "$@" ;;
  kill) end KILL "${1:?kill needs a broker}" ;;
  resume) launch "${1:?resume needs a broker}"; await "$1" ;;
  status) status ;;
  brokers) addresses ;;
  wipe) end TERM; rm -rf "$data" ;;
  *) echo "tools/kafka.sh: unknown command '$command'" >&2; exit 2 ;;
esac
