import { notificationEvents, type NotificationEvent } from '../domain/config/index.ts';
import { asBerthError, BerthError } from '../domain/errors/index.ts';
import { describe, type StoredEvent } from '../domain/events/index.ts';
import { gateView } from '../domain/gate-view.ts';
import type { Notification, Notifier } from '../domain/ports/notifier.ts';
import { foldAll } from '../domain/run-state.ts';
import { statusOf } from '../domain/run-status.ts';
import type { Database } from '../store/database.ts';
import { readEvents } from '../store/events/read-events.ts';
import { readTask } from '../store/runs/read-task.ts';
import {
  type DueNotification,
  forgetNotification,
  retryNotification,
  takeDue,
} from '../store/gates/notifications.ts';

const periodMs = 2_000;
const mostAtOnce = 10;
const firstRetryMs = 5_000;
const longestRetryMs = 3_600_000;
/** About eight hours. */
const mostAttempts = 17;

export interface TellPeopleParts {
  readonly db: Database;
  /** Whoever is told of this kind of event now; null: nobody, and it is forgotten. */
  notifierFor(event: NotificationEvent): Notifier | null;
  /** Beginning of links; null: none is configured. */
  publicUrl(): string | null;
  readonly onError: (error: BerthError) => void;
}

/**
 * Delivers what the database noted with the events themselves, on any number of replicas: each note is held by one at a
 * time, tried again with growing pauses, and given up after hours. No run waits for it.
 * @returns ends the watch
 */
export function tellPeople(parts: TellPeopleParts): () => Promise<void> {
  const { db, onError } = parts;
  const ended = new AbortController();
  const watch = async (): Promise<void> => {
    while (!ended.signal.aborted) {
      const told = await tellOnce(parts, ended.signal).catch((error: unknown) => {
        const known = asBerthError(error);
        if (known.code !== 'DATABASE_UNAVAILABLE' && !ended.signal.aborted) onError(known);
        return 0;
      });
      if (told < mostAtOnce) await db.clock.sleep(periodMs, ended.signal).catch(() => undefined);
    }
  };
  const watching = watch();
  return async () => {
    ended.abort();
    await watching;
  };
}

/** One round; returns how many were due. */
export async function tellOnce(parts: TellPeopleParts, signal: AbortSignal): Promise<number> {
  const due = await takeDue(parts.db, mostAtOnce);
  await Promise.all(due.map((one) => tell(parts, one, signal)));
  return due.length;
}

async function tell(parts: TellPeopleParts, due: DueNotification, signal: AbortSignal): Promise<void> {
  const { db, onError } = parts;
  const event = notificationEvents.find((one) => one === due.type);
  const notifier = event === undefined ? null : parts.notifierFor(event);
  if (event === undefined || notifier === null) return forgetNotification(db, due);
  try {
    await notifier.notify(await notificationOf(parts, due, event), signal);
  } catch (error) {
    // The process stops: what is held comes up again by itself.
    if (signal.aborted) return;
    const known = asBerthError(error);
    if (known.code === 'DATABASE_UNAVAILABLE') return;
    if (due.attempts < mostAttempts) {
      await retryNotification(db, due, Math.min(firstRetryMs * 2 ** (due.attempts - 1), longestRetryMs));
      return;
    }
    onError(
      new BerthError(
        'NOTIFICATION_FAILED',
        `Given up after ${due.attempts} tries, ${due.type} of ${due.runId}: ${known.message}`,
      ),
    );
  }
  await forgetNotification(db, due);
}

/** The run as it was at that event: what is delivered late still says what it was about. */
async function notificationOf(
  parts: TellPeopleParts,
  { runId, seq }: DueNotification,
  event: NotificationEvent,
): Promise<Notification> {
  const { db } = parts;
  const log = await logUpTo(db, runId, seq);
  const state = foldAll(runId, log);
  const last = log.at(-1);
  const { created } = state;
  if (last === undefined || created === null) throw new BerthError('NOT_FOUND', `There is no run ${runId}.`);
  const { project } = await readTask(db, created.taskId);
  const gate = last.type === 'gate.opened' || last.type === 'gate.decided' ? state.gates.at(-1) : undefined;
  const base = parts.publicUrl();
  return {
    schema: 'berth.notification/v1',
    id: `${runId}/${seq}`,
    event,
    at: last.at,
    text: describe(last).title,
    run: {
      id: runId,
      title: created.title,
      project: project.name,
      status: statusOf(state),
      pullRequest: state.pullRequest?.url ?? null,
    },
    gate:
      gate === undefined
        ? null
        : gateView(gate, {
            id: runId,
            project: project.name,
            title: created.title,
            isOpen: gate.id === state.gate?.id,
          }),
    link: base === null ? null : `${base.replace(/\/+$/, '')}/runs/${runId}`,
  };
}

const pageSize = 1_000;

async function logUpTo(db: Database, runId: string, seq: number): Promise<StoredEvent[]> {
  const log: StoredEvent[] = [];
  for (;;) {
    const page = await readEvents(db, runId, { afterSeq: log.length, limit: pageSize });
    log.push(...page);
    if (page.length < pageSize || log.length >= seq) return log.slice(0, seq);
  }
}
