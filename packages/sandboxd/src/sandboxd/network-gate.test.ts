import type { ChannelTime } from '@berth/protocol';
import { expect, test } from 'vitest';
import { parseGate } from '../gate-spec.ts';
import type { GateTarget } from '../gate-spec.ts';
import type { AttemptEnd } from './gate-attempt.ts';
import { NetworkGateWatch } from './network-gate.ts';
import type { GateState } from './network-gate.ts';

const target = (name: string): GateTarget => ({ name, host: '192.0.2.1', port: 443, protocol: 'tcp' });
const settle = (): Promise<unknown> => new Promise(setImmediate);

/** Time that jumps to the next sleeper whenever nothing else is to do. */
class JumpingTime implements ChannelTime {
  nowMs = 0;
  #sleepers: Array<{ atMs: number; wake: () => void }> = [];

  monotonicMs(): number {
    return this.nowMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const one = { atMs: this.nowMs + ms, wake: resolve };
      this.#sleepers.push(one);
      signal?.addEventListener('abort', () => {
        this.#sleepers = this.#sleepers.filter((other) => other !== one);
        reject(signal.reason as Error);
      });
    });
  }

  async jump(): Promise<void> {
    await settle();
    const next = this.#sleepers.toSorted((a, b) => a.atMs - b.atMs)[0];
    if (next === undefined) return;
    this.nowMs = next.atMs;
    this.#sleepers = this.#sleepers.filter((other) => other !== next);
    next.wake();
    await settle();
    await settle();
  }
}

/** Watches with one answer for all targets per round: the last one is repeated. */
function watch(answers: ReadonlyArray<AttemptEnd | Promise<AttemptEnd>>, targets = ['api', 'dns']) {
  const time = new JumpingTime();
  const states: GateState[] = [];
  let asked = 0;
  const gate = new NetworkGateWatch({
    gate: { targets: targets.map(target) },
    time,
    onState: (state) => states.push(state),
    tryTarget: async () => {
      const round = Math.floor(asked / targets.length);
      asked += 1;
      return await answers[Math.min(round, answers.length - 1)]!;
    },
  });
  const until = async (done: () => boolean): Promise<void> => {
    for (let jumps = 0; jumps < 2_000 && !done(); jumps += 1) await time.jump();
    expect(done()).toBe(true);
  };
  return { time, states, gate, until, rounds: () => asked / targets.length };
}

test('two rounds of failures running close the gate, and one success begins the count anew', async () => {
  const { states, until, rounds } = watch(['failed', 'reached', 'failed', 'failed']);
  await until(() => states.length > 0);
  expect(states).toEqual([{ kind: 'closed', afterMs: expect.any(Number) as number }]);
  expect(rounds()).toBe(4);
});

test('what was not even tried is no failure', async () => {
  const { states, until, time } = watch(['unknown']);
  await until(() => states.length > 0);
  expect(states).toEqual([{ kind: 'open', reached: 'its network could not be tried' }]);
  expect(time.nowMs).toBeGreaterThanOrEqual(15_000);
});

test('any success after it closed opens it for good', async () => {
  const { states, until, gate, time } = watch([
    'failed',
    'failed',
    'failed',
    'failed',
    'failed',
    'failed',
    'reached',
  ]);
  await until(() => states.length > 1);
  expect(states[1]).toEqual({ kind: 'open', reached: 'api (192.0.2.1:443), dns (192.0.2.1:443)' });
  // Looks after 1, 5 and 15 s, then once a minute.
  expect(time.nowMs).toBeGreaterThan(70_000);
  expect(time.nowMs).toBeLessThan(140_000);
  await expect(gate.settled()).resolves.toBeUndefined();
});

test('somebody who keeps it from looking is taken for an open network', async () => {
  const { states, until } = watch(['failed', 'failed', 'unknown']);
  await until(() => states.length > 1);
  expect(states[1]).toEqual({ kind: 'open', reached: 'its network cannot be tried any more' });
});

test('an answer that comes after its round counts all the same', async () => {
  let answer: (end: AttemptEnd) => void = () => {};
  const late = new Promise<AttemptEnd>((resolve) => {
    answer = resolve;
  });
  const { states, until } = watch([late, 'failed', 'failed'], ['api']);
  await until(() => states.length > 0);
  answer('reached');
  await settle();
  expect(states.at(-1)).toEqual({ kind: 'open', reached: 'api (192.0.2.1:443)' });
});

test.each([
  ['no targets', '{"targets":[]}'],
  ['a name for an address', '{"targets":[{"name":"x","host":"api.example","port":443,"protocol":"tcp"}]}'],
  ['a port that cannot be', '{"targets":[{"name":"x","host":"192.0.2.1","port":0,"protocol":"tcp"}]}'],
  ['an unknown field', '{"targets":[{"name":"x","host":"::1","port":1,"protocol":"tcp"}],"everMs":1}'],
  ['no JSON', '{'],
])('a gate with %s is refused', (_name, json) => {
  expect(() => parseGate(json)).toThrow(/gate/);
});
