import { randomUUID } from 'node:crypto';
import { systemClock } from '../../packages/server/src/domain/clock.ts';
import { sandboxProfileSchema } from '../../packages/server/src/domain/config/sandboxes.ts';
import type { Sandbox, SandboxSpec } from '../../packages/server/src/domain/ports/sandbox.ts';
import { WarmPool } from '../../packages/server/src/sandboxes/pool/index.ts';
import type { BenchmarkContext, Measured } from '../lib/benchmark.ts';
import { bubblewrapDriver, newSpec, runCommand } from '../lib/sandbox.ts';
import { median, percentile, timed } from '../lib/statistics.ts';

const leastClaims = 32;
const measureMs = 60_000;

export async function run(context: BenchmarkContext): Promise<Measured> {
  const { quick, signal } = context;
  const pool = new WarmPool(bubblewrapDriver(context), systemClock);
  const size = quick ? 2 : 8;
  const profile = sandboxProfileSchema.parse({
    name: 'bench',
    pool: { min: size, max: size, idleTarget: size },
  });
  const spec = (): SandboxSpec => ({ ...newSpec(), profile, env: { FORWARDED: 'value' } });
  const end = pool.start({
    wishes: () => [{ profile, limits: newSpec().limits }],
    owner: () => 'w-bench',
    newSandboxId: () => `bench-${randomUUID()}`,
  });
  const claims: number[] = [];
  const commands: number[] = [];
  const firsts: number[] = [];
  const seconds: number[] = [];
  const claimOne = async (): Promise<void> => {
    const wanted = spec();
    let sandbox: Sandbox | null = null;
    const [claimMs = 0] = await timed(1, async () => {
      sandbox = await pool.create(wanted, signal);
    });
    const claimed = sandbox as Sandbox | null;
    if (claimed === null || claimed.ref.id === wanted.id) throw new Error('the pool gave a cold one');
    try {
      const [commandMs = 0, nextMs = 0] = await timed(2, () =>
        runCommand(claimed, ['true'], { signal, keep: true }),
      );
      firsts.push(commandMs);
      seconds.push(nextMs);
      claims.push(claimMs);
      commands.push(claimMs + commandMs);
    } finally {
      await claimed.destroy();
    }
  };
  try {
    const untilMs = systemClock.monotonicMs() + measureMs;
    for (let round = 0; round < (quick ? 1 : 25); round += 1) {
      // At least so many, and no longer than that on a slow machine.
      if (claims.length >= leastClaims && systemClock.monotonicMs() >= untilMs) break;
      // What is measured is the claim, not how the pool fills.
      while (pool.state().idle < size || pool.state().making > 0) await systemClock.sleep(20, signal);
      for (let place = 0; place < size; place += 1) await claimOne();
    }
    return {
      figures: [
        {
          name: 'claim to first finished exec, median',
          value: median(commands),
          unit: 'ms',
          goal: { below: 100 },
        },
        {
          name: 'claim to first finished exec, p99',
          value: percentile(commands, 0.99),
          unit: 'ms',
          goal: { below: 500 },
        },
        { name: 'first exec alone, median', value: median(firsts), unit: 'ms' },
        { name: 'second exec, median', value: median(seconds), unit: 'ms' },
        { name: 'claim alone, median', value: median(claims), unit: 'ms' },
      ],
      notes: [
        `${commands.length} claims one after the other, each of a pool that is refilled meanwhile; without a repository.`,
      ],
    };
  } finally {
    await end();
  }
}
