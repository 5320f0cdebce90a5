import { clipBytes } from './clip.ts';
import { isFailure, markOf, stepOf } from './event-facts.ts';
import { describe, type StoredEvent } from './events/index.ts';
import { onEvent, type OnEvent } from './on-event.ts';
import { emptyRunState, fold, type RunState } from './run-state.ts';
import type { Outline, RunStateView } from './run-views.ts';

/** Raised whenever the shape of `ViewState` or its fold changes: older snapshots are not used then. */
export const viewVersion = 2;

const maxTurns = 80;
const maxMarks = 80;
const maxCells = 400;
const maxNetwork = 250;
const maxItems = 100;
const maxMessages = 100;
const firstCellMs = 250;
/** Waiting longer than this is drawn as this long. */
const longestGapMs = 30_000;

interface StepTally {
  fromSeq: number;
  turns: number;
  calls: number;
  failures: number;
}

/**
 * What people see of a run after some entry, folded from its log: the run's own state without the parts that only its
 * owner needs (outputs, the task's text), and what outline, strip, network and context show. Bounded, whatever the log.
 */
export interface ViewState {
  run: RunState;
  steps: Record<string, StepTally>;
  turns: Outline['turns'];
  olderTurns: number;
  counts: Outline['counts'];
  marks: Outline['marks'];
  strip: { cellMs: number; cells: { step: string | null; fromSeq: number }[]; fillMs: number };
  network: RunStateView['network'];
  items: RunStateView['context']['items'];
  condensations: number;
  messages: RunStateView['context']['messages'];
  /** The newest checkpoint. */
  checkpointSeq: number | null;
}

export function emptyViewState(runId: string): ViewState {
  return {
    run: emptyRunState(runId),
    steps: {},
    turns: [],
    olderTurns: 0,
    counts: {
      events: 0,
      high: 0,
      turns: 0,
      calls: 0,
      commands: 0,
      failures: 0,
      denied: 0,
      messages: 0,
      checkpoints: 0,
    },
    marks: [],
    strip: { cellMs: firstCellMs, cells: [], fillMs: 0 },
    network: [],
    items: [],
    condensations: 0,
    messages: [],
    checkpointSeq: null,
  };
}

/** The state after more entries. Pure: `state` stays as it is. */
export function foldView(state: ViewState, entries: readonly StoredEvent[]): ViewState {
  if (entries.length === 0) return state;
  // Copied once a batch, not once an entry: 10,000 entries are folded in some tens of milliseconds.
  const next: ViewState = { ...structuredClone({ ...state, run: null }), run: state.run };
  for (const entry of entries) take(next, entry);
  return next;
}

function take(view: ViewState, entry: StoredEvent): void {
  const gapMs = view.run.lastEventAt === null ? 0 : Date.parse(entry.at) - Date.parse(view.run.lastEventAt);
  // The time before an entry belongs to the step that was under way in it.
  drawTime(view, currentStep(view.run), Math.min(Math.max(gapMs, 0), longestGapMs), entry.seq);
  view.run = slim(fold(view.run, entry));
  count(view, entry);
  const mark = markOf(entry);
  if (mark !== null) keep(view.marks, { seq: entry.seq, kind: mark }, maxMarks);
  show(view, entry);
}

/** What only the run's owner needs is left out. */
function slim(run: RunState): RunState {
  let { created, checks } = run;
  if (created !== null && created.text !== '') {
    const { parent } = created;
    created = {
      ...created,
      text: '',
      options: { ...created.options, blueprint: null },
      ...(parent === undefined ? {} : { parent: { ...parent, handover: null } }),
    };
  }
  if (checks.at(-1)?.failure != null) checks = checks.map((check) => ({ ...check, failure: null }));
  const open = Object.entries(run.commands).filter(([, command]) => command.end === null);
  const commands = open.length === Object.keys(run.commands).length ? run.commands : Object.fromEntries(open);
  return { ...run, created, checks, commands };
}

function currentStep(run: RunState): string | null {
  return run.steps.findLast((step) => step.state === 'running')?.key ?? null;
}

function count(view: ViewState, entry: StoredEvent): void {
  const { counts } = view;
  const key = stepOf(entry);
  const { importance } = describe(entry);
  const failed = isFailure(entry);
  counts.events += 1;
  if (importance === 'high') counts.high += 1;
  if (failed) counts.failures += 1;
  if (entry.type === 'step.started') {
    // A step that is done again after the run went on begins anew.
    view.steps[entry.data.key] = { fromSeq: entry.seq, turns: 0, calls: 0, failures: 0 };
  }
  const step = key !== null && Object.hasOwn(view.steps, key) ? view.steps[key] : undefined;
  if (step !== undefined && failed) step.failures += 1;
  const table: OnEvent<void> = {
    'model.answered': () => {
      counts.turns += 1;
      if (step !== undefined) step.turns += 1;
    },
    'tool.started': () => {
      counts.calls += 1;
      if (step !== undefined) step.calls += 1;
    },
    'command.started': () => {
      counts.commands += 1;
    },
    'egress.decided': ({ data }) => {
      if (!data.allowed) counts.denied += 1;
    },
    'message.received': () => {
      counts.messages += 1;
    },
    'checkpoint.saved': ({ seq }) => {
      counts.checkpoints += 1;
      view.checkpointSeq = seq;
    },
  };
  onEvent(table, entry);
}

function show(view: ViewState, event: StoredEvent): void {
  const { seq } = event;
  const table: OnEvent<void> = {
    'model.answered': (entry) => {
      const { step, durationMs, parts, costUsd } = entry.data;
      view.olderTurns += keep(
        view.turns,
        {
          seq,
          step: clipBytes(step, 24),
          ms: Math.round(durationMs),
          calls: parts.filter((part) => part.type === 'tool-call').length,
          usd: Math.round(costUsd * 10_000) / 10_000,
          title: clipBytes(describe(entry).title, 44),
        },
        maxTurns,
      );
    },
    'egress.decided': (entry) => {
      const { host, port, allowed, reason, bytesUp, bytesDown } = entry.data;
      const shown = { host: clipBytes(host, 255), port, allowed, reason: clipBytes(reason, 160) };
      keep(view.network, { seq, ...shown, bytesUp, bytesDown }, maxNetwork);
    },
    'context.prefetched': (entry) => {
      for (const { kind, path, provenance, text } of entry.data.items) {
        const shown = { path: clipBytes(path, 200), provenance: clipBytes(provenance, 160) };
        keep(view.items, { seq, kind, ...shown, characters: text.length }, maxItems);
      }
    },
    'agent.condensed': () => {
      view.condensations += 1;
    },
    'message.received': (entry) => {
      const { messageId, by, mode } = entry.data;
      keep(view.messages, { messageId, by, mode, deliveredSeq: seq, toldSeq: null }, maxMessages);
    },
    'agent.told': (entry) => {
      const told = view.messages.find((message) => message.messageId === entry.data.messageId);
      if (told !== undefined) told.toldSeq = seq;
    },
  };
  onEvent(table, event);
}

/** Adds to the end and drops from the beginning; how many were dropped. */
function keep<Item>(items: Item[], item: Item, most: number): number {
  items.push(item);
  if (items.length <= most) return 0;
  items.shift();
  return 1;
}

/** Fills cells with time; when they are too many, each becomes twice as long. */
function drawTime(view: ViewState, step: string | null, ms: number, seq: number): void {
  const { strip } = view;
  if (strip.cells.length === 0) strip.cells.push({ step, fromSeq: seq });
  let leftMs = ms;
  while (leftMs > 0) {
    const roomMs = strip.cellMs - strip.fillMs;
    if (leftMs < roomMs) {
      strip.fillMs += leftMs;
      return;
    }
    leftMs -= roomMs;
    strip.fillMs = 0;
    strip.cells.push({ step, fromSeq: seq });
    if (strip.cells.length > maxCells) {
      strip.cells = strip.cells.filter((_, place) => place % 2 === 0);
      strip.cellMs *= 2;
    }
  }
}
