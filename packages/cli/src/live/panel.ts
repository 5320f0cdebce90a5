import { harmlessLine, type Run } from '@berth/client';
import { stateWord, stepMark, type StepState } from '../output/marks.ts';
import type { Paint } from '../output/style.ts';
import { cut, fit, textWidth } from '../output/text-width.ts';
import { clock, count, duration, money, spell } from '../output/units.ts';
import { isEnded } from '../exit-codes.ts';

/** What the panel shows besides the run. */
export interface PanelState {
  /** The call whose output is streaming, and its last lines, harmless. */
  readonly live: {
    readonly title: string;
    readonly startedAtMs: number;
    readonly lines: readonly string[];
  } | null;
  readonly lastEventAtMs: number | null;
  readonly connection: 'ok' | 'lost';
  readonly nowMs: number;
  readonly hint: string;
}

export interface PanelSize {
  readonly columns: number;
  readonly rows: number;
  readonly isAscii: boolean;
}

/** Silence after which the panel says so. */
const quietMs = 60_000;

/** The lines below the settled rows, each narrower than the terminal. Pure. */
export function panelLines(run: Run, state: PanelState, size: PanelSize, paint: Paint): string[] {
  const width = size.columns - 1;
  const rule = paint('dim', (size.isAscii ? '-' : '─').repeat(width));
  const lower = [
    headLine(run, state.nowMs, width, size.isAscii, paint),
    ...stripLines(run, state.nowMs, width, size.isAscii, paint),
    meterLine(run, state.nowMs, width, size.isAscii, paint),
    footLine(run, state, width, paint),
  ];
  const room = Math.max(0, Math.min(size.rows - lower.length - 4, 8));
  return [...liveLines(state, width, room, size.isAscii, paint), rule, ...lower];
}

function liveLines(state: PanelState, width: number, room: number, isAscii: boolean, paint: Paint): string[] {
  if (state.live === null || room === 0) return [];
  const time = clock(state.nowMs - state.live.startedAtMs);
  const bar = isAscii ? '|' : '│';
  return [
    twoSided(` ${state.live.title}`, `running ${time.padStart(6)}`, width, (text) => text),
    ...state.live.lines.slice(-room).map((line) => paint('dim', cut(`   ${bar} ${line}`, width))),
  ];
}

function headLine(run: Run, nowMs: number, width: number, isAscii: boolean, paint: Paint): string {
  const { text: word, tone } = stateWord(run.status.state, isAscii);
  const endMs = run.endedAt === null ? nowMs : Date.parse(run.endedAt);
  const right = `${run.id}  ${word}  ${clock(endMs - Date.parse(run.createdAt))}`;
  const left = cut(
    ` ${harmlessLine(run.project)} · ${harmlessLine(run.title)}`,
    width - textWidth(right) - 2,
  );
  const gap = ' '.repeat(Math.max(1, width - textWidth(left) - textWidth(right)));
  return paint('bold', left) + gap + right.replace(word, () => paint(tone, word));
}

/** The run strip in words: each kind of step once, with its last state and its whole time. */
export function stripCells(
  run: Run,
  nowMs: number,
  isAscii: boolean,
  paint: Paint,
): { plain: string; painted: string }[] {
  const kinds = new Map<string, { state: StepState; ms: number; visits: number }>();
  for (const step of run.steps) {
    const before = kinds.get(step.kind) ?? { state: 'pending' as StepState, ms: 0, visits: 0 };
    const running = step.startedAt === null ? 0 : Math.max(0, nowMs - Date.parse(step.startedAt));
    const own = step.durationMs ?? (step.state === 'running' && !isEnded(run.status.state) ? running : 0);
    kinds.set(step.kind, { state: step.state, ms: before.ms + own, visits: before.visits + 1 });
  }
  return [...kinds].map(([kind, { state, ms, visits }]) => {
    const { text: mark, tone } = stepMark(state, isAscii);
    const time = state === 'pending' || state === 'skipped' ? '' : duration(ms);
    const again = visits > 1 ? ` (${visits})` : '';
    const facts = `${mark}${time}`.trimEnd();
    return {
      plain: `${kind} ${facts}${again}`,
      painted: `${kind} ${paint(tone, facts)}${paint('dim', again)}`,
    };
  });
}

function stripLines(run: Run, nowMs: number, width: number, isAscii: boolean, paint: Paint): string[] {
  const cells = stripCells(run, nowMs, isAscii, paint);
  if (cells.length === 0) return [];
  const rows: string[] = [];
  let line = '';
  let used = 0;
  for (const cell of cells) {
    const wide = textWidth(cell.plain);
    if (used > 0 && used + 2 + wide > width - 1) {
      rows.push(line);
      line = '';
      used = 0;
    }
    line += used === 0 ? ` ${cell.painted}` : `  ${cell.painted}`;
    used += used === 0 ? wide + 1 : wide + 2;
  }
  return [...rows, line].slice(0, 2).map((row, place) => (place === 0 || row !== '' ? row : ''));
}

function meterLine(run: Run, nowMs: number, width: number, isAscii: boolean, paint: Paint): string {
  const cap = (name: string) => run.limits.find((limit) => limit.name === name);
  const parts: { text: string; isNear: boolean }[] = [];
  const add = (text: string, used: number, most: number): void => {
    parts.push({ text, isNear: most > 0 && used / most >= 0.8 });
  };
  const cost = cap('cost');
  if (cost !== undefined) {
    const bar = isAscii ? '' : ` ${barOf(cost.used / cost.cap, 8)}`;
    add(`cost ${money(cost.used)}/${cost.cap.toFixed(2)}${bar}`, cost.used, cost.cap);
  }
  const tokens = cap('tokens');
  if (tokens !== undefined) add(`tok ${count(tokens.used)}/${count(tokens.cap)}`, tokens.used, tokens.cap);
  const steps = cap('steps');
  if (steps !== undefined) add(`steps ${steps.used}/${steps.cap}`, steps.used, steps.cap);
  const minutes = cap('minutes');
  if (minutes !== undefined) {
    const since = run.status.lastEventAt === null ? 0 : nowMs - Date.parse(run.status.lastEventAt);
    const usedMs = minutes.used * 60_000 + (run.status.state === 'running' ? Math.max(0, since) : 0);
    add(`time ${clock(usedMs)}/${clock(minutes.cap * 60_000)}`, usedMs, minutes.cap * 60_000);
  }
  const rounds = cap('rounds');
  if (rounds !== undefined) add(`r ${rounds.used}/${rounds.cap}`, 0, 1);
  let line = '';
  let used = 0;
  for (const part of parts) {
    if (used + 2 + textWidth(part.text) > width) break;
    line += `${used === 0 ? ' ' : '  '}${part.isNear ? paint('warn', part.text) : part.text}`;
    used += (used === 0 ? 1 : 2) + textWidth(part.text);
  }
  return line;
}

function footLine(run: Run, state: PanelState, width: number, paint: Paint): string {
  if (state.connection === 'lost') {
    return paint('warn', cut(' Not live: the server does not answer, trying again', width));
  }
  const silentMs = state.lastEventAtMs === null ? 0 : state.nowMs - state.lastEventAtMs;
  const reason = harmlessLine(run.status.reason);
  const changed =
    run.changes === null ? '' : `${run.changes.files} files +${run.changes.added} -${run.changes.removed} · `;
  if (isEnded(run.status.state)) return paint('dim', cut(` ${changed}${reason}`, width));
  const left =
    silentMs >= quietMs
      ? ` no event for ${spell(silentMs)}; ${reason}`
      : ` ${changed}${reason} · last event ${spell(silentMs)} ago`;
  const tone = silentMs >= quietMs ? 'warn' : 'dim';
  return twoSided(left, state.hint, width, (text) => paint(tone, text));
}

function twoSided(left: string, right: string, width: number, paintLine: (text: string) => string): string {
  const room = width - textWidth(right) - 2;
  if (room < 20) return paintLine(cut(left, width));
  return paintLine(`${fit(left, room)}  ${right}`);
}

function barOf(share: number, cells: number): string {
  const full = Math.min(cells, Math.max(0, Math.round(share * cells)));
  return '█'.repeat(full) + '░'.repeat(cells - full);
}
