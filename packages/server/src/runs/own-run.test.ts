import { expect, test } from 'vitest';
import { BerthError } from '../domain/errors/index.ts';
import { newId } from '../domain/ids.ts';
import type { InboxRequest } from '../domain/inbox.ts';
import { postInbox } from '../store/runs/post-inbox.ts';
import type { Ownership } from '../store/runs/claim-run.ts';
import { readRun } from '../store/runs/read-run.ts';
import { testDatabase } from '../testing/database.ts';
import { makeOwnedRun } from '../testing/owned-run.ts';
import { liveHub } from './live-hub.ts';
import { ownRun, readState } from './own-run.ts';

const store = testDatabase();

/** Owns a run whose repository is fetched for ever, until the signal says otherwise. */
function ownWhileFetching(
  ownership: Ownership,
  signal: AbortSignal = new AbortController().signal,
): { fetching: Promise<void>; owned: Promise<void> } {
  const begun = Promise.withResolvers<void>();
  const owned = ownRun(ownership, {
    db: store.db,
    hub: liveHub(),
    redact: (value) => value,
    assertHeld: () => undefined,
    signal,
    equip: (base) =>
      new Promise((_resolve, reject) => {
        begun.resolve();
        const stop = (): void => reject(new BerthError('GIT_FAILED', 'git was killed'));
        if (base.signal.aborted) stop();
        else base.signal.addEventListener('abort', stop, { once: true });
      }),
  });
  return { fetching: begun.promise, owned };
}

async function ask(runId: string, request: InboxRequest): Promise<void> {
  await postInbox(store.db, { id: newId('i', Date.now()), runId, by: 'test', request });
}

test('a pause while the repository is fetched rests the run instead of failing it', async () => {
  const ownership = await makeOwnedRun(store.db);
  const { fetching, owned } = ownWhileFetching(ownership);
  await fetching;
  await ask(ownership.runId, { kind: 'pause', reason: 'Ctrl-C' });
  await owned;
  expect(await readState(store.db, ownership.runId)).toMatchObject({ ended: null, paused: { by: 'test' } });
  expect(await readRun(store.db, ownership.runId)).toMatchObject({ owner: null, waiting: false });
});

test('a cancel while the repository is fetched ends the run as cancelled', async () => {
  const ownership = await makeOwnedRun(store.db);
  const { fetching, owned } = ownWhileFetching(ownership);
  await fetching;
  await ask(ownership.runId, { kind: 'cancel' });
  await owned;
  const { ended } = await readState(store.db, ownership.runId);
  expect(ended).toMatchObject({ outcome: 'cancelled', code: 'RUN_CANCELLED' });
});

test('a worker that stops while the repository is fetched hands the run back unharmed', async () => {
  const ownership = await makeOwnedRun(store.db);
  const stopping = new AbortController();
  const { fetching, owned } = ownWhileFetching(ownership, stopping.signal);
  await fetching;
  stopping.abort(new BerthError('WORKER_STOPPING'));
  await owned;
  expect((await readState(store.db, ownership.runId)).ended).toBeNull();
  expect(await readRun(store.db, ownership.runId)).toMatchObject({ owner: null, waiting: true });
});

test('a repository that cannot be fetched ends the run with its code', async () => {
  const ownership = await makeOwnedRun(store.db);
  await ownRun(ownership, {
    db: store.db,
    hub: liveHub(),
    redact: (value) => value,
    assertHeld: () => undefined,
    signal: new AbortController().signal,
    equip: () => Promise.reject(new BerthError('REPO_NOT_FOUND')),
  });
  const { ended } = await readState(store.db, ownership.runId);
  expect(ended).toMatchObject({ outcome: 'failed', code: 'REPO_NOT_FOUND' });
});
