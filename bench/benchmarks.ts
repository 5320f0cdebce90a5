import type { Benchmark } from './lib/benchmark.ts';

/** All of them, in the order in which they run. Nothing of the product is loaded before one of them begins. */
export const benchmarks: readonly Benchmark[] = [
  {
    name: 'exec',
    what: 'round trip of `true` through the channel in a bubblewrap sandbox, fresh and aged.',
    why: 'everything an agent does is a command; sandboxd forks, and a fork slows as its process grows.',
    goal: 'median below 5 ms, p99 below 20 ms, at any age.',
    timeLimitMs: 60_000,
    load: () => import('./benchmarks/exec.ts'),
  },
  {
    name: 'files',
    what: 'a request without work (`stat` of nothing) and a read of 1 MiB through the channel.',
    why: 'the floor under everything that goes through the channel, and what reading a file adds to it.',
    goal: 'none of the design; the prototype had 0.15 / 1.4 ms and 1.7 ms.',
    timeLimitMs: 30_000,
    load: () => import('./benchmarks/files.ts'),
  },
  {
    name: 'slow-reader',
    what: '200 MiB of output that its reader takes at 20 MiB/s after standing still for 3 s: memory of both ends.',
    why: 'a flooding command or a busy worker must not grow either process; twenty such readers once pinned 161 MiB.',
    goal: 'the worker and sandboxd each grow by less than 32 MiB.',
    timeLimitMs: 60_000,
    load: () => import('./benchmarks/slow-reader.ts'),
  },
  {
    name: 'sandbox-start',
    what: 'from `create` of a bubblewrap sandbox to the end of its first command, and its removal.',
    why: 'every run waits for it at least twice (work, verify).',
    goal: 'none of the design; the prototype had 76 ms without cgroups and its own disk.',
    timeLimitMs: 60_000,
    load: () => import('./benchmarks/sandbox-start.ts'),
  },
  {
    name: 'first-model-call',
    what: 'from `run.owned` to `model.requested` on the sample library of the demo, later runs on the same repository.',
    why: 'what Berth adds before an agent begins to think.',
    goal: 'median below 500 ms with warm caches, without setup commands.',
    timeLimitMs: 120_000,
    load: () => import('./benchmarks/first-model-call.ts'),
  },
  {
    name: 'events',
    what: 'events appended per second, one run alone and 50 at once, on the embedded PostgreSQL with fsync.',
    why: 'the log is the truth: nothing happens before its entry is durable.',
    goal: 'none of the design; a run writes some ten events a minute.',
    timeLimitMs: 60_000,
    load: () => import('./benchmarks/events.ts'),
  },
  {
    name: 'admission',
    what: 'one admission with 100, 1,000 and 10,000 runs in line, and the place of one of them.',
    why: 'every run that ends is followed by one, under a lock that all workers share.',
    goal: 'median below 250 ms at 10,000 waiting runs, reasons included.',
    timeLimitMs: 120_000,
    load: () => import('./benchmarks/admission.ts'),
  },
  {
    name: 'memory',
    what: 'resident memory of an idle server (API and worker, PostgreSQL apart), and of each run that waits for a model.',
    why: 'one worker is to carry hundreds to thousands of runs, most of them waiting.',
    goal: 'idle below 200 MB (190 MiB); below 1 MB (976 KiB) for each of 1,000 waiting runs.',
    timeLimitMs: 150_000,
    load: () => import('./benchmarks/memory.ts'),
  },
];
