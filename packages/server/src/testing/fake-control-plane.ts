import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { BerthError } from '../domain/errors/index.ts';
import type { NewEvent, RunParent, StoredEvent } from '../domain/events/index.ts';
import { newId } from '../domain/ids.ts';
import type { RunLimits } from '../domain/limits.ts';
import type { LiveFrame } from '../domain/live.ts';
import type {
  ControlPlane,
  CreateTask,
  ListFilter,
  Located,
  ObjectKind,
} from '../domain/ports/control-plane.ts';
import type { BranchOffRequest, RetryRequest } from '../domain/ports/run-reading.ts';
import { everyRun } from '../domain/run-filter.ts';
import { isEnded } from '../domain/run-status.ts';
import { branchOf, titleOf } from '../domain/task.ts';
import type { EventView } from '../domain/views.ts';
import { fakeDiff, fakeDoctor } from './fake-answers.ts';
import { fakeGates } from './fake-gates.ts';
import { FakeSnapshots } from './fake-snapshots.ts';
import { belongsTo, foldOf, type Held, type Saved, taskViewOf } from './fake-held-run.ts';
import { FakeReading } from './fake-reading.ts';
import { eventView, proposalViewOf, viewOf } from './fake-run-view.ts';
import { scriptFor, type ScriptLine } from './fake-run-script.ts';

type Item = { readonly event: EventView } | { readonly frame: LiveFrame };

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
export class FakeControlPlane extends FakeReading implements ControlPlane {
  readonly #options: FakeOptions;
  /** What was asked of it, for tests. */
  readonly acts: string[] = [];
  readonly snapshots = new FakeSnapshots();
  readonly gates = fakeGates({
    all: () =>
      [...this.runs.values()].map((run) => ({ state: foldOf(run), project: basename(run.repository) })),
    append: (runId, entry) => this.#append(this.find(runId), entry),
    goOn: (runId) => this.#play(this.find(runId)),
  });

  constructor(options: FakeOptions = {}) {
    super();
    this.#options = options;
    const path = options.statePath;
    if (path !== undefined && existsSync(path)) {
      for (const saved of JSON.parse(readFileSync(path, 'utf8')) as Saved[]) {
        const held: Held = { ...saved, listeners: new Set(), player: null, untold: [] };
        this.runs.set(saved.runId, held);
        this.#play(held);
      }
    }
  }

  /** Stops every script where it is. */
  stop(): void {
    for (const run of this.runs.values()) {
      run.player?.abort();
      run.player = null;
    }
    this.#save();
  }

  async locate(kind: ObjectKind, text: string): Promise<Located> {
    if (kind === 'task') return { id: (await this.getTask(text)).id, projectId: 'p-fake', ownerId: 'tester' };
    // A project is whatever one calls so: nothing is known of it.
    if (kind === 'project') return { id: text, projectId: text, ownerId: null };
    const id = kind === 'gate' ? (await this.gates.get(text)).id : this.find(text).runId;
    return { id, projectId: 'p-fake', ownerId: 'tester' };
  }

  async projectOfRepository() {
    return 'p-fake';
  }

  async createTask(request: CreateTask) {
    const known = [...this.runs.values()].find(
      (run) => run.idempotencyKey !== null && run.idempotencyKey === request.idempotencyKey,
    );
    if (known !== undefined) return { task: taskViewOf(known), run: this.#view(known) };
    if (request.text.trim() === '') throw new BerthError('TASK_EMPTY');
    if (request.options.base === 'nowhere') {
      throw new BerthError('USAGE', 'There is no branch, tag or commit "nowhere" in the repository.', {
        next: 'Name one that `git rev-parse` knows with --base.',
      });
    }
    const held = this.#begin(request);
    return { task: taskViewOf(held), run: this.#view(held) };
  }

  async retry(id: string, { by, instruction }: RetryRequest) {
    const before = this.find(id);
    const { state } = this.#view(before).status;
    if (!isEnded(state))
      throw new BerthError('RUN_ACTIVE', `The run ${before.runId} of this task is ${state}.`);
    this.acts.push(`retry ${by}`);
    return this.#view(this.#again(before, instruction, 'retry', before.events.length));
  }

  async branchOff(id: string, { by, seq, instruction }: BranchOffRequest) {
    const before = this.find(id);
    const { place } = await this.diffAt(id, { seq, from: 'base' });
    this.acts.push(`branch off ${by}`);
    const held = this.#again(before, instruction, 'branch-off', place.checkpointSeq);
    return { place, task: taskViewOf(held), run: this.#view(held) };
  }

  /** Another run with the same text; of a task of its own, whatever the real one does. */
  #again(before: Held, instruction: string | null, kind: RunParent['kind'], seq: number): Held {
    const { options } = foldOf(before).created ?? {};
    if (options === undefined) throw new Error('a run without its first entry');
    const text = instruction === null ? before.text : `${before.text}\n\n${instruction}`;
    const { runId: run, repository } = before;
    const parent = { kind, run, seq, base: null, pushed: null, checkpoint: null, handover: null };
    return this.#begin({ repository, text, options, idempotencyKey: null }, parent);
  }

  #begin(
    request: Pick<CreateTask, 'repository' | 'text' | 'options' | 'idempotencyKey'>,
    parent?: RunParent,
  ): Held {
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
    this.runs.set(runId, held);
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
        ...(parent === undefined ? {} : { parent }),
      },
    });
    this.#play(held);
    return held;
  }

  async getTask(id: string) {
    const held = [...this.runs.values()].find((run) => run.taskId === id);
    if (held === undefined) throw new BerthError('NOT_FOUND', `There is no task ${id}.`);
    return taskViewOf(held);
  }

  async getRun(id: string) {
    return this.#view(this.find(id));
  }

  async listRuns({ visible, state, project, cursor, limit }: ListFilter) {
    const states = state === undefined ? [] : [state];
    const projects = project === undefined ? [] : [project];
    const filter = { ...everyRun, states, projects };
    return this.listRunRows({ visible, filter, limit, ...(cursor === undefined ? {} : { cursor }) });
  }

  async listEvents(
    runId: string,
    filter: { afterSeq: number; limit: number; types?: readonly string[] },
  ): Promise<readonly EventView[]> {
    return this.find(runId)
      .events.filter((entry) => entry.seq > filter.afterSeq)
      .filter((entry) => filter.types === undefined || filter.types.includes(entry.type))
      .slice(0, filter.limit)
      .map(eventView);
  }

  async *follow(runId: string, afterSeq: number, signal: AbortSignal): AsyncIterable<Item> {
    const held = this.find(runId);
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
    const ended = this.find(runId).events.find(
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
    this.find(runId);
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
    const held = this.find(id);
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
    return [...this.runs.values()]
      .toReversed()
      .filter((run) => filter.project === undefined || belongsTo(run, filter.project))
      .filter((run) => foldOf(run).proposal !== null)
      .slice(0, filter.limit)
      .map((run) => proposalViewOf(foldOf(run), basename(run.repository), run.decided));
  }

  async getProposal(id: string) {
    const held = this.find(id);
    if (foldOf(held).proposal === null)
      throw new BerthError('NOT_FOUND', `Run ${held.runId} has no proposal.`);
    const view = proposalViewOf(foldOf(held), basename(held.repository), held.decided);
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
    const held = this.find(id);
    await this.getProposal(id);
    if (held.decided !== null) {
      throw new BerthError('CONFLICT', `The proposal of ${held.runId} is already ${held.decided}.`);
    }
    held.decided = decided;
    this.acts.push(`${decided} ${by}`);
    this.#save();
    return proposalViewOf(foldOf(held), basename(held.repository), held.decided);
  }

  #active(id: string): Held {
    const held = this.find(id);
    const { state } = this.#view(held).status;
    if (isEnded(state)) throw new BerthError('CONFLICT', `Run ${held.runId} has already ended (${state}).`);
    return held;
  }

  #view(held: Held) {
    return viewOf(foldOf(held), basename(held.repository));
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
    const text = JSON.stringify([...this.runs.values()], (key, value: unknown) =>
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
        if (foldOf(held).gate !== null) return;
      }
    })().catch(() => undefined);
  }
}
