import { harmlessLine, type Schedule } from '@berth/client';
import type { CommandContext, CommonFlags } from '../command-context.ts';
import { failure } from '../failure.ts';
import { parseLimits } from '../limits.ts';
import { table } from '../output/table.ts';
import { present, type PresentFlags } from '../present.ts';
import type { Session } from '../session.ts';
import { textOf } from '../text-argument.ts';

export interface CreateFlags extends CommonFlags {
  readonly project?: string;
  readonly cron?: string;
  readonly zone?: string;
  readonly overlap?: string;
  readonly missed?: string;
  readonly pauseAfter?: string;
  readonly base?: string;
  readonly limit: readonly string[];
}

/** `berth schedules list`. */
export async function list(context: CommandContext, flags: PresentFlags): Promise<number> {
  return present(context, flags, async (session) => {
    const { schedules } = await session.client.listSchedules();
    const columns = [
      { title: 'NAME' },
      { title: 'PROJECT' },
      { title: 'CRON' },
      { title: 'ZONE' },
      { title: 'NEXT' },
      { title: 'LAST', isFlexible: true },
      { title: 'FROM' },
    ];
    const rows = schedules.map((schedule) => [
      { text: schedule.name },
      { text: schedule.project },
      { text: harmlessLine(schedule.cron) },
      { text: harmlessLine(schedule.timeZone) },
      { text: nextOf(schedule) },
      { text: harmlessLine(lastOf(schedule)) },
      { text: schedule.source === 'file' ? 'file' : 'API' },
    ]);
    return {
      items: schedules,
      next: null,
      ids: schedules.map(({ name }) => name),
      text: table(context.out, context.paint, columns, rows),
      notes: schedules.length === 0 ? ['No schedule yet: `berth schedules create NAME TEXT`'] : [],
    };
  });
}

function nextOf(schedule: Schedule): string {
  if (schedule.paused !== null) return 'paused';
  return schedule.enabled ? (schedule.next[0]?.local ?? 'never') : 'off';
}

function lastOf({ paused, last }: Schedule): string {
  if (paused !== null) return paused.reason;
  const [newest] = last;
  if (newest === undefined) return '–';
  return newest.code ?? newest.state ?? newest.outcome;
}

/** `berth schedules view`. */
export async function view(context: CommandContext, flags: PresentFlags, name: string | undefined) {
  return present(context, flags, async (session) =>
    shown(context, await session.client.getSchedule(name ?? '')),
  );
}

/** `berth schedules next`: the next three times. */
export async function next(context: CommandContext, flags: PresentFlags, name: string | undefined) {
  return present(context, flags, async (session) => {
    const schedule = await session.client.getSchedule(name ?? '');
    return {
      items: schedule.next,
      next: null,
      ids: schedule.next.map(({ at }) => at),
      text: schedule.next.map(({ at, local }) => `${local}  ${at}\n`).join(''),
      notes: schedule.next.length === 0 ? ['It does not fire now: see `berth schedules view`.'] : [],
    };
  });
}

/** `berth schedules create`. */
export async function create(
  context: CommandContext,
  flags: CreateFlags,
  name: string | undefined,
  text?: string,
): Promise<number> {
  const { project, cron } = flags;
  if (project === undefined || cron === undefined) {
    throw failure('USAGE', 'A schedule needs --project and --cron.', 'For example --cron "30 2 * * 1-5".');
  }
  const pauseAfterFailures = Number(flags.pauseAfter ?? '3');
  if (!Number.isInteger(pauseAfterFailures)) throw failure('USAGE', '--pause-after is a whole number.');
  const task = await textOf(context, text);
  return change(context, async ({ client }) =>
    client.createSchedule({
      name: name ?? '',
      project,
      cron,
      task,
      timeZone: flags.zone ?? 'UTC',
      overlap: flags.overlap ?? 'skip',
      missed: flags.missed ?? 'skip',
      pauseAfterFailures,
      limits: parseLimits(flags.limit),
      ...(flags.base === undefined ? {} : { base: flags.base }),
    }),
  );
}

/** `berth schedules run`. */
export async function run(context: CommandContext, _: CommonFlags, name: string | undefined) {
  return change(context, async ({ client }) => client.runSchedule(name ?? ''));
}

/** `berth schedules pause`. */
export async function pause(
  context: CommandContext,
  flags: CommonFlags & { readonly reason?: string },
  name: string | undefined,
) {
  return change(context, async ({ client }) => client.pauseSchedule(name ?? '', flags.reason ?? null));
}

/** `berth schedules resume`. */
export async function resume(context: CommandContext, _: CommonFlags, name: string | undefined) {
  return change(context, async ({ client }) => client.resumeSchedule(name ?? ''));
}

/** `berth schedules rm`. */
export async function rm(context: CommandContext, _: CommonFlags, name: string | undefined): Promise<number> {
  return context.withSession(['api'], async ({ client }) => {
    const { revision } = await client.deleteSchedule(name ?? '');
    if (context.format === 'json' || context.format === 'jsonl') context.printDocument({ revision });
    else context.note(`Deleted ${name ?? ''}; its runs stay.`);
    return 0;
  });
}

async function change(
  context: CommandContext,
  work: (session: Session) => Promise<Schedule>,
): Promise<number> {
  return present(context, {}, async (session) => shown(context, await work(session)));
}

function shown({ out, paint }: CommandContext, schedule: Schedule) {
  const facts = [
    `${schedule.name}  ${schedule.project}  ${schedule.cron}  ${schedule.timeZone}`,
    schedule.task.split('\n')[0] ?? '',
    `overlap ${schedule.overlap}, missed ${schedule.missed}, pauses after ${schedule.pauseAfterFailures} failures`,
    ...(schedule.paused === null
      ? []
      : [`paused by ${schedule.paused.by} (${schedule.paused.code}): ${schedule.paused.reason}`]),
    ...(schedule.enabled ? [] : ['off']),
    ...schedule.next.map(({ at, local }) => `next ${local}  (${at})`),
    schedule.source === 'file' ? 'from the configuration file: changed there' : 'made over the API',
  ];
  const columns = [
    { title: 'PLANNED' },
    { title: 'KIND' },
    { title: 'OUTCOME' },
    { title: 'RUN' },
    { title: 'REASON', isFlexible: true },
  ];
  const rows = schedule.last.map((firing) => [
    { text: firing.plannedAt },
    { text: firing.kind },
    { text: firing.state ?? firing.outcome },
    { text: firing.runId ?? '–' },
    { text: harmlessLine(firing.code === null ? '' : `${firing.code}: ${firing.reason ?? ''}`) },
  ]);
  return {
    document: schedule,
    ids: [schedule.name],
    text: `${facts.map(harmlessLine).join('\n')}\n${rows.length === 0 ? '' : '\n'}${table(out, paint, columns, rows)}`,
  };
}
