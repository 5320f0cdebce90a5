import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { BerthError } from '../domain/errors/index.ts';
import type { NewEvent, StoredEvent } from '../domain/events/index.ts';
import { newId } from '../domain/ids.ts';
import type { RunLimits } from '../domain/limits.ts';
import type { LiveFrame } from '../domain/live.ts';
import type { ControlPlane, CreateTask, ListFilter, ObjectKind } from '../domain/ports/control-plane.ts';
import { foldAll, type RunState } from '../domain/run-state.ts';
import { isEnded, statusOf } from '../domain/run-status.ts';
import { branchOf, titleOf } from '../domain/task.ts';
import type { EventView, TaskView } from '../domain/views.ts';
import { fakeDiff, fakeDoctor } from './fake-answers.ts';
import { eventView, proposalViewOf, viewOf } from './fake-run-view.ts';
import { scriptFor, type ScriptLine } from './fake-run-script.ts';

type Item = { readonly event: EventView } | { readonly frame: LiveFrame };

interface Saved {
  readonly runId: string;
  readonly taskId: string;
  readonly repository: string;
  readonly text: string;
  readonly idempotencyKey: string | null;
  readonly events: StoredEvent[];
  /** Script lines already played. */
  played: number;
  decided: 'merged' | 'closed' | null;
}

interface Held extends Saved {
  readonly listeners: Set<(frame: LiveFrame | null) => void>;
  player: AbortController | null;
  /** Messages that the agent has not been told yet. */
  untold: { readonly messageId: string; readonly text: string }[];
}

export interface FakeOptions {
  /** Factor on the script's pauses; 0 plays without any. */
  readonly pace?: number;
  /** Keeps runs in this file, so that another process can go on with them. */
  readonly statePath?: string;
  /** Whether runs move; an API without a worker holds them. */
  readonly worker?: boolean;
  readonly script?: (text: string) => ScriptLine[];
  /** Awaited before each line of a script; lets a test hold a run at a place. */
  readonly gate?: (line: ScriptLine, runId: string) => Promise<void>;
}

/**
 * A control plane without anything below it: each run plays a script (`fake-run-script`), so that the API, the
 * client and the CLI can be built and tested alone. Ids, folds and statuses are the real ones.
 */
export class FakeControlPlane implements ControlPlane {
  readonly #runs = new Map<string, Held>();
  readonly #options: FakeOptions;
  /** What was asked of it, for tests. */
  readonly acts: string[] = [];

  constructor(options: FakeOptions = {}) {
    this.#options = options;
    const path = options.statePath;
    if (path !== undefined && existsSync(path)) {
      for (const saved of JSON.parse(readFileSync(path, 'utf8')) as Saved[]) {
        const held: Held = { ...saved, listeners: new Set(), player: null, untold: [] };
        this.#runs.set(saved.runId, held);
        this.#play(held);
      }
    }
  }

  /** Stops every script where it is. */
  stop(): void {
    for (const run of this.#runs.values()) {
      run.player?.abort();
      run.player = null;
    }
    this.#save();
  }

  async locate(kind: ObjectKind, text: string) {
    if (kind === 'task') return { id: (await this.getTask(text)).id, projectId: 'p-fake', ownerId: 'tester' };
    return { id: this.#find(text).runId, projectId: 'p-fake', ownerId: 'tester' };
  }

  async projectOfRepository() {
    return 'p-fake';
  }

  async createTask(request: CreateTask) {
    const known = [...this.#runs.values()].find(
      (run) => run.idempotencyKey !== null && run.idempotencyKey === request.idempotencyKey,
    );
    if (known !== undefined) return { task: taskView(known), run: this.#view(known) };
    if (request.text.trim() === '') throw new BerthError('TASK_EMPTY');
    if (request.options.base === 'nowhere') {
      throw new BerthError('USAGE', 'There is no branch, tag or commit "nowhere" in the repository.', {
        next: 'Name one that `git rev-parse` knows with --base.',
      });
    }
    const runId = newId('r', Date.now());
    const held: Held = {
      runId,
      taskId: newId('t', Date.now()),
      repository: request.repository,
      text: request.text,
      idempotencyKey: request.idempotencyKey,
      events: [],
      played: 0,
      decided: null,
      listeners: new Set(),
      player: null,
      untold: [],
    };
    const title = titleOf(request.text);
    this.#runs.set(runId, held);
    this.#append(held, {
      type: 'run.created',
      data: {
        taskId: held.taskId,
        projectId: `p-${basename(request.repository)}`,
        repository: request.repository,
        title,
        text: request.text,
        branch: branchOf(title, held.taskId),
        attempt: 1,
        options: request.options,
      },
    });
    this.#play(held);
    return { task: taskView(held), run: this.#view(held) };
  }

  async getTask(id: string) {
    const held = [...this.#runs.values()].find((run) => run.taskId === id);
    if (held === undefined) throw new BerthError('NOT_FOUND', `There is no task ${id}.`);
    return taskView(held);
  }

  async getRun(id: string) {
    return this.#view(this.#find(id));
  }

  async listRuns(filter: ListFilter) {
    const after = filter.cursor;
    const all = [...this.#runs.values()]
      .toReversed()
      .filter((run) => filter.project === undefined || belongsTo(run, filter.project))
      .map((run) => this.#view(run))
      .filter((run) => filter.state === undefined || run.status.state === filter.state);
    const start = after === undefined ? 0 : all.findIndex((run) => run.id === after) + 1;
    const runs = all.slice(start, start + filter.limit);
    return { runs, next: start + filter.limit < all.length ? (runs.at(-1)?.id ?? null) : null };
  }

  async listEvents(
    runId: string,
    filter: { afterSeq: number; limit: number; types?: readonly string[] },
  ): Promise<readonly EventView[]> {
    return this.#find(runId)
      .events.filter((entry) => entry.seq > filter.afterSeq)
      .filter((entry) => filter.types === undefined || filter.types.includes(entry.type))
      .slice(0, filter.limit)
      .map(eventView);
  }

  async *follow(runId: string, afterSeq: number, signal: AbortSignal): AsyncIterable<Item> {
    const held = this.#find(runId);
    const frames: LiveFrame[] = [];
    let wake = (): void => undefined;
    const listener = (frame: LiveFrame | null): void => {
      if (frame !== null && frames.length < 1_000) frames.push(frame);
      wake();
    };
    held.listeners.add(listener);
    const onAbort = (): void => wake();
    signal.addEventListener('abort', onAbort);
    let seq = afterSeq;
    try {
      while (!signal.aborted) {
        const waiting = new Promise<void>((resolve) => {
          wake = resolve;
        });
        for (const frame of frames.splice(0)) yield { frame };
        for (const entry of held.events.slice(seq)) {
          seq = entry.seq;
          yield { event: eventView(entry) };
        }
        if (isEnded(this.#view(held).status.state) && seq >= held.events.length) return;
        if (frames.length === 0 && seq >= held.events.length && !signal.aborted) await waiting;
      }
    } finally {
      held.listeners.delete(listener);
      signal.removeEventListener('abort', onAbort);
    }
  }

  async output(runId: string, callId: string): Promise<AsyncIterable<Uint8Array>> {
    const ended = this.#find(runId).events.find(
      (entry) => entry.type === 'command.ended' && entry.data.id === callId,
    );
    if (ended?.type !== 'command.ended') throw new BerthError('NOT_FOUND', `No call ${callId} in this run.`);
    const bytes = new TextEncoder().encode(ended.data.tail);
    return (async function* pieces() {
      yield bytes.subarray(0, 5);
      yield bytes.subarray(5);
    })();
  }

  async diff(runId: string) {
    this.#find(runId);
    return fakeDiff;
  }

  async cancel(id: string, by: string) {
    const held = this.#active(id);
    this.acts.push(`cancel ${by}`);
    held.player?.abort();
    this.#append(held, { type: 'run.cancel-requested', data: { by } });
    this.#append(held, {
      type: 'run.ended',
      data: { outcome: 'cancelled', code: 'RUN_CANCELLED', sentence: `Cancelled by ${by}`, next: null },
    });
    return this.#view(held);
  }

  async pause(id: string, by: string, reason: string) {
    const held = this.#active(id);
    this.acts.push(`pause ${by}: ${reason}`);
    held.player?.abort();
    held.player = null;
    this.#append(held, { type: 'run.paused', data: { by, reason } });
    return this.#view(held);
  }

  async resume(id: string, by: string, limits: Partial<RunLimits>) {
    const held = this.#find(id);
    this.acts.push(`resume ${by} ${JSON.stringify(limits)}`);
    const state = this.#view(held).status.state;
    if (state === 'succeeded' || state === 'cancelled') {
      throw new BerthError('CONFLICT', `Run ${held.runId} has ${state}; nothing is left to resume.`);
    }
    if (state === 'running' || state === 'queued') return this.#view(held);
    this.#append(held, { type: 'run.resumed', data: { by, limits } });
    this.#play(held);
    return this.#view(held);
  }

  async steer(id: string, by: string, text: string, mode: 'now' | 'after_step') {
    const held = this.#active(id);
    this.acts.push(`steer ${by} ${mode}: ${text}`);
    const messageId = newId('m', Date.now());
    this.#append(held, { type: 'message.received', data: { messageId, by, text, mode } });
    held.untold.push({ messageId, text });
    return { messageId };
  }

  async listProposals(filter: { project?: string; limit: number }) {
    return [...this.#runs.values()]
      .toReversed()
      .filter((run) => filter.project === undefined || belongsTo(run, filter.project))
      .filter((run) => fold(run).proposal !== null)
      .slice(0, filter.limit)
      .map((run) => proposalViewOf(fold(run), basename(run.repository), run.decided));
  }

  async getProposal(id: string) {
    const held = this.#find(id);
    if (fold(held).proposal === null) throw new BerthError('NOT_FOUND', `Run ${held.runId} has no proposal.`);
    const view = proposalViewOf(fold(held), basename(held.repository), held.decided);
    return { ...view, body: 'Moves the offset behind the clock change.\n\nVerified by Berth.' };
  }

  async proposalDiff(id: string) {
    await this.getProposal(id);
    return fakeDiff;
  }

  async mergeProposal(id: string, by: string) {
    return this.#decide(id, 'merged', by);
  }

  async closeProposal(id: string, by: string) {
    return this.#decide(id, 'closed', by);
  }

  async doctor() {
    return fakeDoctor;
  }

  async #decide(id: string, decided: 'merged' | 'closed', by: string) {
    const held = this.#find(id);
    await this.getProposal(id);
    if (held.decided !== null) {
      throw new BerthError('CONFLICT', `The proposal of ${held.runId} is already ${held.decided}.`);
    }
    held.decided = decided;
    this.acts.push(`${decided} ${by}`);
    this.#save();
    return proposalViewOf(fold(held), basename(held.repository), held.decided);
  }

  #find(id: string): Held {
    if (id === 'latest') {
      const last = [...this.#runs.values()].at(-1);
      if (last === undefined) throw new BerthError('NOT_FOUND', 'There is no run yet.');
      return last;
    }
    const found = [...this.#runs.values()].filter((run) => run.runId.startsWith(id));
    const first = found[0];
    if (first === undefined) throw new BerthError('NOT_FOUND', `There is no run ${id}.`);
    if (found.length > 1) throw new BerthError('NOT_FOUND', `${found.length} runs begin with ${id}.`);
    return first;
  }

  #active(id: string): Held {
    const held = this.#find(id);
    const { state } = this.#view(held).status;
    if (isEnded(state)) throw new BerthError('CONFLICT', `Run ${held.runId} has already ended (${state}).`);
    return held;
  }

  #view(held: Held) {
    return viewOf(fold(held), basename(held.repository));
  }

  #append(held: Held, entry: NewEvent): void {
    const stored = {
      ...entry,
      runId: held.runId,
      seq: held.events.length + 1,
      at: new Date().toISOString(),
    } as StoredEvent;
    held.events.push(stored);
    this.#save();
    for (const listener of held.listeners) listener(null);
  }

  #save(): void {
    const { statePath } = this.#options;
    const skipped = new Set(['listeners', 'player', 'untold']);
    const text = JSON.stringify([...this.#runs.values()], (key, value: unknown) =>
      skipped.has(key) ? undefined : value,
    );
    if (statePath === undefined) return;
    // Replaced whole: a process killed in the middle must not leave half a file to the next.
    writeFileSync(`${statePath}.new`, text);
    renameSync(`${statePath}.new`, statePath);
  }

  #play(held: Held): void {
    const state = this.#view(held).status.state;
    if (this.#options.worker === false || isEnded(state) || state === 'paused') return;
    const player = new AbortController();
    held.player = player;
    const lines = (this.#options.script ?? scriptFor)(held.text);
    void (async () => {
      while (held.played < lines.length) {
        const line = lines[held.played]!;
        await sleep(line.afterMs * (this.#options.pace ?? 1), undefined, { signal: player.signal });
        await this.#options.gate?.(line, held.runId);
        player.signal.throwIfAborted();
        held.played += 1;
        if ('event' in line.item && line.item.event.type === 'model.requested') {
          const { step } = line.item.event.data;
          for (const { messageId, text } of held.untold.splice(0)) {
            this.#append(held, { type: 'agent.told', data: { step, kind: 'message', text, messageId } });
          }
        }
        if ('event' in line.item) this.#append(held, line.item.event);
        else for (const listener of held.listeners) listener(line.item.frame);
      }
    })().catch(() => undefined);
  }
}

function fold(held: Held): RunState {
  return foldAll(held.runId, held.events);
}

function belongsTo(run: Held, project: string): boolean {
  return run.repository === project || basename(run.repository) === project;
}

function taskView(held: Held): TaskView {
  const state = fold(held);
  return {
    schema: 'berth.task/v1',
    id: held.taskId,
    title: state.created?.title ?? '',
    text: held.text,
    project: basename(held.repository),
    origin: { kind: 'cli', by: 'tester', url: null },
    status: statusOf(state),
    branch: state.created?.branch ?? '',
    runs: [held.runId],
    proposal: state.proposal === null ? null : held.runId,
    createdAt: state.createdAt ?? '',
  };
}
