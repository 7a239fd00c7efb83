#!/bin/sh
# Start one of the portal's processes. The containers, the tests and a set-up without containers all come through here.
#
#   docker/entrypoint.sh migrate | web | worker | worker-gpu | reaper | manage COMMAND
#
# Every one ends cleanly on SIGTERM, so `exec`: the signal must reach the program, not this shell.
set -eu

worker() {
    # One child: it holds the networks. Celery builds it by fork before TensorFlow is loaded, and replaces it if it dies.
    exec celery --app portal worker --queues "$1" --concurrency 1 --without-gossip --without-mingle \
        --hostname "$2@%h" --loglevel "${LOG_LEVEL:-INFO}"
}

case "${1:-}" in
migrate)
    # An index on millions of rows takes longer than any page may.
    export DATABASE_STATEMENT_SECONDS=0
    python manage.py migrate --no-input
    exec python manage.py register_models
    ;;
web)
    # Threads, so that a large upload does not hold up a page; recycled, so that a leak in a decoder stays small.
    exec gunicorn portal.wsgi:application --bind "${WEB_BIND:-0.0.0.0:8000}" \
        --worker-class gthread --workers "${WEB_WORKERS:-2}" --threads "${WEB_THREADS:-8}" \
        --worker-tmp-dir /dev/shm --timeout 60 --graceful-timeout 30 --max-requests 5000 --max-requests-jitter 500 \
        --access-logfile - --access-logformat '%(h)s %(m)s %(s)s %(B)s bytes %(D)s us'
    ;;
worker)
    worker "${INFERENCE_QUEUE:-inference}" worker
    ;;
worker-gpu)
    # Its own queue, for work that is sent to the GPU on purpose, and the common one.
    worker "inference-gpu,${INFERENCE_QUEUE:-inference}" worker-gpu
    ;;
reaper)
    exec python manage.py reaper
    ;;
manage)
    shift
    exec python manage.py "$@"
    ;;
*)
    echo "usage: $0 migrate | web | worker | worker-gpu | reaper | manage COMMAND" >&2
    exit 2
    ;;
esac
