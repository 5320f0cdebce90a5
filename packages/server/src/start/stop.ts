import type { Clock } from '../domain/ports/clock.ts';
import type { Log } from '../telemetry/log.ts';

/** Less than the 30 s that supervisors commonly give, so that what is left is said before the end is forced. */
const defaultStopTimeoutMs = 25_000;

/**
 * Last started, first stopped; the signal last, so that hand-overs can still be written. What has not stopped in time
 * is left behind: its leases run out, and others take over.
 */
export async function stopInTime(
  undo: (() => Promise<void>)[],
  stopping: AbortController,
  options: { readonly clock: Clock; readonly log: Log; readonly timeoutMs: number | undefined },
): Promise<void> {
  const { clock, log, timeoutMs = defaultStopTimeoutMs } = options;
  if (stopping.signal.aborted || undo.length === 0) return;
  log.info('stopping');
  const startedMs = clock.monotonicMs();
  const enough = new AbortController();
  const all = async (): Promise<'stopped'> => {
    for (const act of undo.splice(0).toReversed()) {
      await act().catch((error: unknown) => log.error('a part did not stop well', { error }));
    }
    return 'stopped';
  };
  const late = clock.sleep(timeoutMs, enough.signal).then(
    () => 'late' as const,
    () => 'stopped' as const,
  );
  const how = await Promise.race([all(), late]);
  enough.abort();
  stopping.abort();
  const tookMs = Math.round(clock.monotonicMs() - startedMs);
  if (how === 'late') log.warn('not everything stopped in time', { tookMs });
  else log.info('stopped', { tookMs });
}
