import type { Channel } from '../../packages/server/src/channel/channel.ts';
import { execRequest } from '../../packages/server/src/testing/exec-helper.ts';
import { podIsMissing, startPod } from '../../packages/server/src/testing/pod-processes.ts';
import type { BenchmarkContext, Figure, Measured } from '../lib/benchmark.ts';
import { mebibyte, printing } from '../lib/sandbox.ts';
import { median, percentile, timed } from '../lib/statistics.ts';

export async function run({ quick, signal }: BenchmarkContext): Promise<Measured> {
  if (podIsMissing !== null) throw new Error(`this needs ${podIsMissing}`);
  const pod = await startPod({ limits: { openFiles: 1024 } });
  try {
    const reconnects = await timed(quick ? 5 : 50, async () => (await pod.open()).close('measured'));
    const one = await pod.open();
    const two = await pod.open();
    const request = (): Promise<unknown> => one.stat('nothing');
    const exec = (): Promise<void> => command(one, ['true'], signal);
    await timed(20, request);
    const requests = await timed(quick ? 50 : 1_000, request);
    await timed(10, exec);
    const execs = await timed(quick ? 20 : 300, exec);
    const mib = quick ? 20 : 200;
    const [outputMs] = await timed(1, () => command(one, printing(mib), signal));
    const besides = quick ? 10 : 100;
    const same = await during(one, one, besides, signal);
    const apart = await during(one, two, besides, signal);
    return {
      figures: [
        ...both('connect with TLS to HELLO', reconnects),
        ...both('request', requests),
        ...both('exec of `true`', execs),
        { name: `output of ${mib} MiB`, value: mib / (outputMs! / 1_000), unit: 'MiB/s' },
        ...both('exec during output, one connection', same),
        ...both('exec during output, two connections', apart),
      ],
      notes: [
        'sandboxd and work as two processes with uids of their own on one machine, over loopback; no gate, no policy',
        'output is read as fast as it comes; "during output": a command prints without end while others run',
      ],
    };
  } finally {
    await pod.stop();
  }
}

async function command(channel: Channel, argv: readonly string[], signal: AbortSignal): Promise<void> {
  const request = execRequest(argv, { maxOutputBytes: 4_096 * mebibyte, overflow: 'block' });
  const result = await channel.exec(request, { signal });
  if (result.kind === 'lost' || result.exitCode !== 0) throw new Error(`${argv.join(' ')} failed`);
  await channel.forget(request.id);
}

/** Round trips of `true` on one channel while another, or the same, carries output. */
async function during(
  channel: Channel,
  bulk: Channel,
  times: number,
  signal: AbortSignal,
): Promise<number[]> {
  const stop = new AbortController();
  const endless = execRequest(['cat', '/dev/zero'], {
    maxOutputBytes: Number.MAX_SAFE_INTEGER,
    overflow: 'block',
  });
  const { promise: flows, resolve } = Promise.withResolvers<void>();
  const carried = bulk
    .exec(endless, { signal: AbortSignal.any([signal, stop.signal]), onOutput: () => resolve() })
    .catch(() => {});
  await flows;
  const durations = await timed(times, () => command(channel, ['true'], signal));
  stop.abort(new Error('measured'));
  await carried;
  await bulk.signal(endless.id, 'SIGKILL');
  return durations;
}

function both(name: string, durations: readonly number[]): Figure[] {
  return [
    { name: `${name}, median`, value: median(durations), unit: 'ms' },
    { name: `${name}, p99`, value: percentile(durations, 0.99), unit: 'ms' },
  ];
}
