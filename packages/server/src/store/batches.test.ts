import { expect, test } from 'vitest';
import { systemClock } from '../domain/clock.ts';
import { BerthError } from '../domain/errors/index.ts';
import { Batches } from './batches.ts';

/** A database that answers when it is told to. */
function held() {
  const trips: { readonly asked: readonly string[]; readonly end: (how?: Error) => void }[] = [];
  const alone: string[] = [];
  const batches = new Batches<string, string>({
    clock: systemClock,
    rests: true,
    async together(some) {
      await new Promise<void>((resolve, reject) => {
        trips.push({ asked: some, end: (how) => (how === undefined ? resolve() : reject(how)) });
      });
      return some.map((one) => (one.startsWith('held') ? null : `did ${one}`));
    },
    alone(one) {
      alone.push(one);
      if (one === 'wrong') return Promise.reject(new Error('it is wrong'));
      return Promise.resolve(`did ${one} alone`);
    },
  });
  const trip = async (n: number) => {
    await expect.poll(() => trips.length).toBeGreaterThan(n);
    return trips[n]!;
  };
  return { batches, alone, trip, trips };
}

test('one that comes alone goes at once; what comes meanwhile shares the next round trip', async () => {
  const { batches, trip, trips } = held();
  const first = batches.do('a');
  expect(trips.map((one) => one.asked)).toEqual([['a']]);
  const more = Promise.all(['b', 'c', 'd'].map((one) => batches.do(one)));
  trips[0]!.end();
  expect(await first).toBe('did a');
  const second = await trip(1);
  expect(second.asked).toEqual(['b', 'c', 'd']);
  second.end();
  expect(await more).toEqual(['did b', 'did c', 'did d']);
});

test('a round trip has a bound, and none is forgotten', async () => {
  const { batches, trip } = held();
  const all = Promise.all(Array.from({ length: 100 }, (_, n) => batches.do(String(n))));
  (await trip(0)).end();
  const second = await trip(1);
  expect(second.asked).toHaveLength(64);
  second.end();
  (await trip(2)).end();
  expect(await all).toEqual(Array.from({ length: 100 }, (_, n) => `did ${n}`));
});

test('what is left undone, and all of a round trip that cannot be, is done one by one with its own errors', async () => {
  const { batches, trip, alone } = held();
  const first = batches.do('held a');
  (await trip(0)).end();
  expect(await first).toBe('did held a alone');
  const some = ['b', 'wrong', 'c'].map((one) => batches.do(one));
  const settled = Promise.allSettled(some);
  (await trip(1)).end(new Error('one of them is wrong'));
  (await trip(2)).end(new Error('one of them is wrong'));
  expect((await settled).map((one) => (one.status === 'fulfilled' ? one.value : String(one.reason)))).toEqual(
    ['did b alone', 'Error: it is wrong', 'did c alone'],
  );
  expect(alone).toEqual(['held a', 'b', 'wrong', 'c']);
});

test('while the database is away all are told, and nothing is done again behind their back', async () => {
  const { batches, trip, alone } = held();
  const some = Promise.allSettled(['a', 'b', 'c'].map((one) => batches.do(one)));
  (await trip(0)).end(new BerthError('DATABASE_UNAVAILABLE'));
  (await trip(1)).end(new BerthError('DATABASE_UNAVAILABLE'));
  expect((await some).map((one) => one.status)).toEqual(['rejected', 'rejected', 'rejected']);
  expect(alone).toEqual([]);
  const again = batches.do('a');
  (await trip(2)).end();
  expect(await again).toBe('did a');
});

test('a round trip that hangs holds up nobody else for long', async () => {
  const { batches, trip } = held();
  const hanging = batches.do('hangs');
  const other = batches.do('b');
  (await trip(1)).end();
  expect(await other).toBe('did b');
  const third = batches.do('c');
  (await trip(2)).end();
  expect(await third).toBe('did c');
  (await trip(0)).end();
  expect(await hanging).toBe('did hangs');
});
