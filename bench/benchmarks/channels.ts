import { fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectChannel } from '../../packages/server/src/channel/connect.ts';
import type { Channel } from '../../packages/server/src/channel/channel.ts';
import { systemClock } from '../../packages/server/src/domain/clock.ts';
import { noEgress } from '../../packages/server/src/domain/egress.ts';
import { createEgressDoor } from '../../packages/server/src/egress/index.ts';
import type { BenchmarkContext, Measured } from '../lib/benchmark.ts';
import { residentMiB } from '../lib/process-memory.ts';
import { median, percentile, timed } from '../lib/statistics.ts';

const ecosystems = { facts: async () => ({ hosts: async () => [], env: {} }) };

export async function run(context: BenchmarkContext): Promise<Measured> {
  const { quick, signal, directory } = context;
  const count = quick ? 20 : 200;
  const others = fork(join(import.meta.dirname, '..', 'lib', 'many-sandboxds.ts'), [
    directory,
    String(count),
  ]);
  try {
    await once(others, 'message', { signal });
    const before = residentMiB(process.pid);
    const channels: Channel[] = [];
    const opened = await timed(count, async (at) => {
      const sandboxId = `many-${at}`;
      const door = createEgressDoor({
        policy: noEgress,
        ecosystems,
        clock: systemClock,
        onDecision: () => undefined,
      });
      channels.push(
        await connectChannel({
          socketPath: join(directory, sandboxId, 'w'),
          sandboxId,
          epoch: 1,
          clock: systemClock,
          signal,
          onEgressStream: (stream) => door.accept(stream),
        }),
      );
    });
    const after = residentMiB(process.pid);
    const idleMs = quick ? 2_000 : 30_000;
    const used = process.cpuUsage();
    await sleep(idleMs, undefined, { signal });
    const { user, system } = process.cpuUsage(used);
    const exec = async (channel: Channel): Promise<void> => {
      const request = {
        id: randomUUID(),
        command: { argv: ['true'] },
        cwd: '.',
        env: {},
        timeoutMs: 60_000,
        maxOutputBytes: 65_536,
        overflow: 'truncate',
      } as const;
      const result = await channel.exec(request, { signal });
      if (result.kind === 'lost' || result.exitCode !== 0) throw new Error(JSON.stringify(result));
    };
    const execs = quick ? 20 : 400;
    const alone = await timed(execs, () => exec(channels[0]!));
    const inTurn = await timed(execs, (at) => exec(channels[at % count]!));
    const requests = await timed(execs, (at) => channels[at % count]!.stat('nothing'));
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    const [all = 0] = await timed(1, () => Promise.all(channels.map((channel) => exec(channel))));
    delay.disable();
    for (const channel of channels) channel.close('measured');
    return {
      figures: [
        {
          name: `memory of the worker for each of ${count}`,
          value: ((after - before) * 1024) / count,
          unit: 'KiB',
        },
        { name: 'processor time of the worker, all idle', value: (user + system) / idleMs, unit: 'ms/s' },
        { name: 'opening a channel, median', value: median(opened), unit: 'ms' },
        { name: 'exec in one of them, median', value: median(alone), unit: 'ms' },
        { name: 'exec in each in turn, median', value: median(inTurn), unit: 'ms' },
        { name: 'exec in each in turn, p99', value: percentile(inTurn, 0.99), unit: 'ms' },
        { name: 'request without work, median', value: median(requests), unit: 'ms' },
        { name: 'request without work, p99', value: percentile(requests, 0.99), unit: 'ms' },
        { name: 'one exec in all of them at once', value: all, unit: 'ms' },
        { name: 'longest the worker did nothing else meanwhile', value: delay.max / 1e6, unit: 'ms' },
      ],
      notes: [
        `${count} channels over unix sockets, each with its egress door, on the worker's main thread; all sandboxds and runners share one other process, commands are real.`,
      ],
    };
  } finally {
    others.kill('SIGTERM');
  }
}
