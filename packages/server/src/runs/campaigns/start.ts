import { asBerthError, type BerthError } from '../../domain/errors/index.ts';
import { movingCampaigns, movingIds } from '../../store/campaigns/campaigns.ts';
import { moveCampaign, type MoveParts } from './move.ts';

/** The net beneath the bell. */
const pollMs = 5_000;
/** A run's bell rings with every entry of its log: so long after one look there is no other. */
const restMs = 500;
/** Runs whose ends are waited for by bell; the others are met by the poll. */
const mostBells = 200;

export interface RunningCampaigns {
  stop(): Promise<void>;
}

/**
 * Moves all campaigns until it is stopped: whenever one of them is changed, one of their runs has something new, and now
 * and then. Any number of replicas may: of those that look at one campaign at once, one decides. Never throws.
 */
export function startCampaigns(
  parts: MoveParts,
  options: { readonly onError: (error: BerthError) => void; readonly pollMs?: number },
): RunningCampaigns {
  const { clock, bell } = parts.db;
  const stopping = new AbortController();
  const { signal } = stopping;
  let wake: () => void = () => undefined;
  const listening = new Map<string, () => void>();
  const listenTo = (ids: readonly string[]): void => {
    const wanted = new Set([movingCampaigns, ...ids.slice(0, mostBells)]);
    for (const [id, end] of listening) {
      if (wanted.has(id)) continue;
      end();
      listening.delete(id);
    }
    for (const id of wanted)
      if (!listening.has(id))
        listening.set(
          id,
          bell.listen(id, () => wake()),
        );
  };
  const loop = (async () => {
    while (!signal.aborted) {
      const woken = new Promise<void>((resolve) => {
        wake = resolve;
      });
      try {
        const active: string[] = [];
        for (const id of await movingIds(parts.db.sql)) {
          if (signal.aborted) break;
          active.push(
            ...(await moveCampaign(parts, id).catch((error: unknown) => {
              options.onError(asBerthError(error));
              return [];
            })),
          );
        }
        listenTo(active);
      } catch (error) {
        options.onError(asBerthError(error));
      }
      await clock.sleep(restMs, signal).catch(() => undefined);
      const pause = new AbortController();
      const either = AbortSignal.any([signal, pause.signal]);
      await Promise.race([woken, clock.sleep(options.pollMs ?? pollMs, either).catch(() => undefined)]);
      pause.abort();
    }
  })();
  return {
    async stop() {
      stopping.abort(new Error('campaigns stop'));
      await loop;
      for (const end of listening.values()) end();
      listening.clear();
    },
  };
}
