"""The rows of the evidence, by their names in it."""

from __future__ import annotations

from dataclasses import replace

from reliability import chaos, disturbed_bucket, disturbed_servers, disturbed_workers, traffic
from reliability.row import Row
from reliability.stack import Setup

_BARE = Setup(net=False)
_QUICK = Setup(stub_ms=10)  # a worker that lives for a second between two kills must get through what it finds

ROWS: dict[str, Row] = {
    "F1": Row(
        "kill -9 of the worker's process group 100 times over 1,000 cases", disturbed_workers.kill_groups, _QUICK
    ),
    "F1-model": Row(
        "the same 10 times over 100 cases with the real model", disturbed_workers.kill_few_groups, Setup(stub_ms=None)
    ),
    "F2": Row("kill -9 of the pool's child 100 times over 1,000 cases", disturbed_workers.kill_children, _QUICK),
    "F3": Row(
        "exit at each commit point of worker and web, with the real model",
        disturbed_workers.exit_at_commit_points,
        Setup(stub_ms=None, webs=0, workers=0),
    ),
    "F4": Row("a worker stopped inside BRPOP takes a message along, 20 times", disturbed_workers.swallow_messages),
    "F5": Row("rolling restart of web and worker 20 times", traffic.rolling_restarts, Setup(webs=2, workers=2)),
    "F6": Row("Redis flushed 10 times, down for 60 s, killed", disturbed_servers.lose_redis),
    "F7": Row("Redis hangs for 120 s", disturbed_servers.hang_redis, alone=True),
    "F8": Row("PostgreSQL stopped at once and killed, 10 times", disturbed_servers.kill_postgres),
    "F9": Row("disk full for images and for uploads", disturbed_servers.fill_disks, Setup(stub_ms=None)),
    "F10": Row(
        "object store down, slow, failing, bodies cut, objects shortened",
        disturbed_bucket.disturb,
        Setup(stub_ms=None, bucket=True),
    ),
    "F11": Row(
        "images that crash, hang or exhaust the engine among 100 good ones",
        traffic.poison,
        Setup(stub_ms=20, workers=2, lease_seconds=6, memory_bytes=6 * 2**30),
    ),
    "F12": Row("a worker that outlives its lease and wakes late", disturbed_workers.wake_late, Setup(200, workers=2)),
    "F13": Row(
        "1,000 cases by 20 threads of the batch API", traffic.rush, Setup(stub_ms=10, web_workers=2), alone=True
    ),
    **{
        f"F14-{seed}": Row("a random mix of faults for 5 minutes", chaos.mix, Setup(webs=2, workers=2))
        for seed in (1, 2, 3)
    },
    "N-F1": Row("F1 without reaper and leases: must fail", disturbed_workers.kill_groups_once, _BARE, must_fail=True),
    "N-F4": Row("F4 without reaper and leases: must fail", disturbed_workers.swallow_messages, _BARE, must_fail=True),
    "N-F6": Row(
        "F6 without reaper and leases: must fail",
        disturbed_servers.flush_redis,
        replace(_BARE, lease_seconds=30),
        must_fail=True,
    ),
}
