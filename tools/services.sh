#!/usr/bin/env bash
# Run a command with a PostgreSQL and a Redis of its own, on free ports of loopback:
#
#   tools/services.sh .venv/bin/python -m pytest -m services
#
# PGBOUNCER_URL leads to the same PostgreSQL through PgBouncer in transaction mode.
# Installs Debian's packages where they are missing and we are root. The servers
# keep their data in a new folder and are stopped at the end.
set -euo pipefail

postgres_folder() { ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -n 1; }
missing() { ! command -v "$1" >/dev/null && [ ! -x "/usr/sbin/$1" ]; }

packages=
[ -n "$(postgres_folder)" ] || packages="$packages postgresql"
missing redis-server && packages="$packages redis-server"
missing nginx && packages="$packages nginx-light"
missing pgbouncer && packages="$packages pgbouncer"
if [ -n "$packages" ]; then
  if [ "$(id -u)" != 0 ] || missing apt-get; then
    echo "Missing: install your system's packages$packages." >&2
    exit 1
  fi
  echo "Installing$packages ..."
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends $packages >/dev/null
fi

free_port() {
  python3 -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])'
}

folder=$(mktemp -d)
postgres_port=$(free_port)
redis_port=$(free_port)
bouncer_port=$(free_port)
as_postgres() { # PostgreSQL and PgBouncer refuse to run as root
  if [ "$(id -u)" = 0 ]; then
    setpriv --reuid=postgres --regid=postgres --clear-groups "$@"
  else
    "$@"
  fi
}
postgres() { as_postgres "$(postgres_folder)/$@"; }
stop() {
  [ ! -f "$folder/bouncer.pid" ] || kill "$(cat "$folder/bouncer.pid")" || true
  postgres pg_ctl stop -s -D "$folder/postgres" -m fast || true
  redis-cli -p "$redis_port" shutdown nosave || true
  rm -rf "$folder"
}

if [ "$(id -u)" = 0 ]; then chown postgres "$folder"; fi
trap stop EXIT
cd / # a folder that the user postgres may enter
postgres initdb -D "$folder/postgres" -U digitsite --auth=trust --encoding=UTF8 \
  --no-locale --no-sync >/dev/null
# Nothing here outlives the run, so nothing has to reach the disk (FSYNC=on measures).
postgres pg_ctl start -s -w -D "$folder/postgres" -l "$folder/log" -o "-p $postgres_port \
  -k $folder -c listen_addresses=127.0.0.1 -c max_connections=400 -c fsync=${FSYNC:-off}"
postgres createdb -h 127.0.0.1 -p "$postgres_port" -U digitsite digitsite
echo '"digitsite" ""' >"$folder/users.txt"
cat >"$folder/bouncer.ini" <<END
[databases]
* = host=127.0.0.1 port=$postgres_port
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $bouncer_port
unix_socket_dir =
auth_type = trust
auth_file = $folder/users.txt
pool_mode = transaction
default_pool_size = 4
pidfile = $folder/bouncer.pid
logfile = $folder/bouncer.log
END
as_postgres "$(command -v pgbouncer || echo /usr/sbin/pgbouncer)" -q -d "$folder/bouncer.ini"
redis-server --port "$redis_port" --bind 127.0.0.1 --save "" --appendonly no \
  --dir "$folder" --daemonize yes >/dev/null
until redis-cli -p "$redis_port" ping >/dev/null 2>&1; do sleep 0.1; done
cd "$OLDPWD"

DATABASE_URL="postgres://digitsite@127.0.0.1:$postgres_port/digitsite" \
PGBOUNCER_URL="postgres://digitsite@127.0.0.1:$bouncer_port" \
REDIS_URL="redis://127.0.0.1:$redis_port/0" "$@"
