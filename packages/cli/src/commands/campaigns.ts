import { harmlessLine, type Campaign, type CampaignResult } from '@berth/client';
import type { CommandContext, CommonFlags } from '../command-context.ts';
import { failure } from '../failure.ts';
import { parseLimits } from '../limits.ts';
import { table } from '../output/table.ts';
import { money } from '../output/units.ts';
import { present, type PresentFlags } from '../present.ts';
import type { Session } from '../session.ts';
import { textOf } from '../text-argument.ts';

export interface CreateFlags extends CommonFlags {
  readonly projects: readonly string[];
  readonly all?: boolean;
  readonly concurrency?: string;
  readonly canary?: string;
  readonly stopOnFailureRate?: string;
  readonly stopAfter?: string;
  readonly base?: string;
  readonly model?: string;
  readonly limit: readonly string[];
  readonly dryRun?: boolean;
}

/** `berth campaigns list`. */
export async function list(context: CommandContext, flags: PresentFlags & { readonly cursor?: string }) {
  return present(context, flags, async (session) => {
    const page = await session.client.listCampaigns(
      flags.cursor === undefined ? {} : { cursor: flags.cursor },
    );
    const columns = [
      { title: 'ID' },
      { title: 'STATE' },
      { title: 'TITLE', isFlexible: true },
      { title: 'PROJECTS', side: 'right' as const },
      { title: 'SUCCEEDED', side: 'right' as const },
      { title: 'FAILED', side: 'right' as const },
      { title: 'COST', side: 'right' as const },
      { title: 'BY' },
    ];
    const rows = page.campaigns.map((campaign) => [
      { text: campaign.id },
      { text: campaign.state },
      { text: harmlessLine(campaign.title) },
      { text: String(campaign.projects) },
      { text: String(campaign.counts.succeeded ?? 0) },
      { text: String(campaign.counts.failed ?? 0) },
      { text: money(campaign.costUsd) },
      { text: harmlessLine(campaign.createdBy) },
    ]);
    return {
      items: page.campaigns,
      next: page.next,
      ids: page.campaigns.map(({ id }) => id),
      text: table(context.out, context.paint, columns, rows),
      notes: page.next === null ? [] : [`More: berth campaigns list --cursor ${page.next}`],
    };
  });
}

/** `berth campaigns create`. */
export async function create(context: CommandContext, flags: CreateFlags, given: string | undefined) {
  const projects = flags.projects.flatMap((one) => one.split(',')).filter((one) => one !== '');
  if ((flags.all === true) === projects.length > 0) {
    throw failure('USAGE', 'Which projects? Name them with --projects, or say --all.');
  }
  const text = await textOf(context, given);
  const body = {
    text,
    projects: flags.all === true ? ('all' as const) : projects,
    concurrency: whole('--concurrency', flags.concurrency ?? '5'),
    canary: whole('--canary', flags.canary ?? '0'),
    stopOnFailureRate: rateOf(flags.stopOnFailureRate),
    stopAfter: whole('--stop-after', flags.stopAfter ?? '5'),
    options: {
      base: flags.base ?? null,
      model: flags.model ?? null,
      limits: parseLimits(flags.limit),
    },
    dryRun: flags.dryRun === true,
  };
  return present(context, {}, async ({ client }) => {
    const made = await client.createCampaign(body);
    if (made.campaign !== null) return shown(context, made.campaign);
    const names = made.projects.map(({ name }) => harmlessLine(name));
    return {
      document: made,
      ids: made.projects.map(({ id }) => id),
      text: names.map((name) => `${name}\n`).join(''),
      notes: [`${names.length} projects; nothing was handed in.`],
    };
  });
}

function whole(flag: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw failure('USAGE', `${flag} is a whole number.`);
  return value;
}

/** `20%` or `0.2` as a share; null where none is given. */
function rateOf(text: string | undefined): number | null {
  if (text === undefined) return null;
  const value = text.endsWith('%') ? Number(text.slice(0, -1)) / 100 : Number(text);
  if (!(value > 0 && value <= 1)) {
    throw failure('USAGE', '--stop-on-failure-rate is more than 0% and at most 100%.');
  }
  return value;
}

/** `berth campaigns view`. */
export async function view(context: CommandContext, flags: PresentFlags, id: string | undefined) {
  return present(context, flags, async ({ client }) => shown(context, await client.getCampaign(id ?? '')));
}

/** `berth campaigns results`. */
export async function results(
  context: CommandContext,
  flags: PresentFlags & { readonly cursor?: string },
  id: string | undefined,
) {
  const cursor = flags.cursor === undefined ? {} : { cursor: whole('--cursor', flags.cursor) };
  return present(context, flags, async ({ client }) => {
    const page = await client.campaignResults(id ?? '', { limit: 200, ...cursor });
    const columns = [
      { title: 'PROJECT' },
      { title: 'STATE' },
      { title: 'RUN' },
      { title: 'PROPOSAL' },
      { title: 'COST', side: 'right' as const },
      { title: 'REASON', isFlexible: true },
    ];
    return {
      items: page.results,
      next: page.next === null ? null : String(page.next),
      ids: page.results.flatMap(({ runId }) => runId ?? []),
      text: table(context.out, context.paint, columns, page.results.map(row)),
      notes: page.next === null ? [] : [`More: berth campaigns results ${id ?? ''} --cursor ${page.next}`],
    };
  });
}

function row(result: CampaignResult) {
  const why = result.code === null ? (result.reason ?? '') : `${result.code}: ${result.reason ?? ''}`;
  return [
    { text: harmlessLine(result.project) },
    { text: result.state.replace('_', ' ') },
    { text: result.runId ?? '–' },
    { text: result.pullRequest === null ? '–' : `#${result.pullRequest.number}` },
    { text: money(result.costUsd) },
    { text: harmlessLine(why) },
  ];
}

/** `berth campaigns pause`. */
export async function pause(context: CommandContext, _: CommonFlags, id: string | undefined) {
  return change(context, async ({ client }) => client.pauseCampaign(id ?? ''));
}

/** `berth campaigns resume`. */
export async function resume(context: CommandContext, _: CommonFlags, id: string | undefined) {
  return change(context, async ({ client }) => client.resumeCampaign(id ?? ''));
}

/** `berth campaigns cancel`. */
export async function cancel(context: CommandContext, _: CommonFlags, id: string | undefined) {
  return change(context, async ({ client }) => client.cancelCampaign(id ?? ''));
}

/** `berth campaigns retry`. */
export async function retry(
  context: CommandContext,
  flags: CommonFlags & { readonly code?: string },
  id: string | undefined,
) {
  return change(context, async ({ client }) => client.retryCampaign(id ?? '', flags.code ?? null));
}

async function change(context: CommandContext, work: (session: Session) => Promise<Campaign>) {
  return present(context, {}, async (session) => shown(context, await work(session)));
}

function shown(_: CommandContext, campaign: Campaign) {
  const counts = Object.entries(campaign.counts).flatMap(([state, count]) =>
    count === 0 ? [] : [`${count} ${state.replace('_', ' ')}`],
  );
  const lines = [
    `${campaign.id}  ${campaign.state}  ${campaign.title}`,
    ...(campaign.code === null ? [] : [`${campaign.code}: ${campaign.reason ?? ''}`]),
    `${campaign.projects} projects: ${counts.join(', ')}`,
    `${money(campaign.costUsd)} so far; ${campaign.concurrency} at once`,
    ...campaign.failures.map(
      ({ code, reason, projects, runs }) =>
        `${projects} × ${code ?? 'failed'}: ${reason} (${runs.join(', ')})`,
    ),
  ];
  return {
    document: campaign,
    ids: [campaign.id],
    text: lines.map((line) => `${harmlessLine(line)}\n`).join(''),
    isOver: campaign.state === 'done' || campaign.state === 'cancelled',
  };
}
