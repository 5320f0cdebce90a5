import { harmlessLine, type TaskRow } from '@berth/client';
import type { CommandContext } from '../command-context.ts';
import { isEnded } from '../exit-codes.ts';
import { stateWord } from '../output/marks.ts';
import { table } from '../output/table.ts';
import { ago, money } from '../output/units.ts';
import { present, type PresentFlags } from '../present.ts';
import { listLimit, page, type ListFlags } from './runs.ts';

/** `berth tasks`: newest first, each with the state of its newest run. */
export async function list(context: CommandContext, flags: ListFlags): Promise<number> {
  const limit = listLimit(flags.limit);
  return present(context, flags, async (session) => {
    const { tasks, next } = await session.client.listTasks({
      limit,
      ...(flags.filter === undefined ? {} : { q: flags.filter }),
      ...(flags.state === undefined ? {} : { state: flags.state }),
      ...(flags.project === undefined ? {} : { project: flags.project }),
      ...(flags.cursor === undefined ? {} : { cursor: flags.cursor }),
    });
    return {
      items: tasks,
      next,
      ids: tasks.map((task) => task.id),
      text: taskTable(context, tasks, flags.output === 'wide'),
      notes: [
        ...(tasks.length === 0 ? [isNarrowed(flags) ? 'No task is like that.' : noTask] : []),
        ...(next === null ? [] : [`More: berth tasks --cursor ${next}`]),
      ],
    };
  });
}

const noTask = 'No task yet. Hand one in: `berth run "fix the flaky date test"`';

function isNarrowed({ filter, state, project, cursor }: ListFlags): boolean {
  return [filter, state, project, cursor].some((one) => one !== undefined);
}

function taskTable({ out, paint }: CommandContext, tasks: readonly TaskRow[], isWide: boolean): string {
  const nowMs = Date.now();
  const isFlexible = !isWide;
  const columns = [
    { title: 'ID' },
    { title: 'STATE' },
    { title: 'PROJECT' },
    { title: 'TITLE', isFlexible },
    { title: 'STATUS', isFlexible },
    { title: 'RUNS', side: 'right' as const },
    { title: 'COST', side: 'right' as const },
    { title: 'AGE', side: 'right' as const },
  ];
  return table(
    out,
    paint,
    columns,
    tasks.map((task) => {
      const { text, tone } = stateWord(task.status.state, out.isAscii);
      return [
        { text: task.id },
        { text, tone, plain: task.status.state },
        { text: harmlessLine(task.project) },
        { text: harmlessLine(task.title) },
        { text: harmlessLine(task.status.reason), tone: 'dim' as const },
        { text: String(task.attempts) },
        { text: money(task.costUsd), plain: task.costUsd.toFixed(4) },
        { text: ago(task.createdAt, nowMs).replace(' ago', ''), plain: task.createdAt },
      ];
    }),
  );
}

/** `berth tasks view <id>`. */
export async function view(
  context: CommandContext,
  flags: PresentFlags,
  id: string | undefined,
): Promise<number> {
  return present(context, flags, async (session) => {
    const task = await session.client.getTask(id ?? 'latest');
    const { out, paint } = context;
    const { text: word, tone } = stateWord(task.status.state, out.isAscii || !out.isTty);
    const facts: [string, string][] = [
      ['status', `${paint(tone, word)} · ${harmlessLine(task.status.reason)}`],
      ['since', out.isTty ? ago(task.status.since, Date.now()) : task.status.since],
    ];
    if (task.status.code !== null) facts.push(['code', task.status.code]);
    if (task.status.next !== null) facts.push(['next', harmlessLine(task.status.next)]);
    facts.push(
      ['id', task.id],
      ['project', harmlessLine(task.project)],
      ['branch', harmlessLine(task.branch)],
      ['by', harmlessLine(`${task.origin.by} (${task.origin.kind})`)],
      ['runs', task.runs.join(' ')],
      ['text', harmlessLine(task.text)],
    );
    return {
      document: task,
      ids: [task.id],
      text: page(harmlessLine(task.title), facts, paint, out.isTty),
      isOver: isEnded(task.status.state),
    };
  });
}
