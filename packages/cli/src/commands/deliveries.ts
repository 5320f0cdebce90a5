import { createReadStream } from 'node:fs';
import { resolve } from 'node:path';
import { text as readAll } from 'node:stream/consumers';
import { harmless, harmlessLine, type Delivery } from '@berth/client';
import type { CommandContext, CommonFlags } from '../command-context.ts';
import { failure } from '../failure.ts';
import { table } from '../output/table.ts';
import { present, type PresentFlags } from '../present.ts';

export interface ListFlags extends PresentFlags {
  readonly state?: string;
  readonly name?: string;
  readonly limit?: string;
  readonly cursor?: string;
}

const states = ['waiting', 'queued', 'done', 'ignored', 'dead'] as const;

/** `berth deliveries list`. */
export async function list(context: CommandContext, flags: ListFlags): Promise<number> {
  const state = states.find((one) => one === flags.state);
  if (flags.state !== undefined && state === undefined) {
    throw failure('USAGE', `--state is one of ${states.join(', ')}.`);
  }
  const limit = flags.limit === undefined ? undefined : Number(flags.limit);
  if (limit !== undefined && !Number.isInteger(limit)) throw failure('USAGE', '--limit is a whole number.');
  return present(context, flags, async ({ client }) => {
    const { deliveries, next } = await client.listDeliveries({
      ...(state === undefined ? {} : { state }),
      ...(flags.name === undefined ? {} : { name: flags.name }),
      ...(limit === undefined ? {} : { limit }),
      ...(flags.cursor === undefined ? {} : { cursor: flags.cursor }),
    });
    const columns = [
      { title: 'ID' },
      { title: 'RECEIVED' },
      { title: 'NAME' },
      { title: 'EVENT' },
      { title: 'ABOUT' },
      { title: 'STATE' },
      { title: 'TASK' },
      { title: 'WHY', isFlexible: true },
    ];
    const rows = deliveries.map((one) => [
      { text: one.id },
      { text: one.receivedAt },
      { text: harmlessLine(one.name) },
      { text: harmlessLine(one.event) },
      { text: harmlessLine(one.subject ?? '–') },
      { text: one.state },
      { text: one.taskId ?? '–' },
      { text: harmlessLine(one.reason ?? '') },
    ]);
    return {
      items: deliveries,
      next,
      ids: deliveries.map(({ id }) => id),
      text: table(context.out, context.paint, columns, rows),
      notes: next === null ? [] : [`More: berth deliveries list --cursor ${next}`],
    };
  });
}

/** `berth deliveries show`. */
export async function show(context: CommandContext, flags: PresentFlags, id: string | undefined) {
  return present(context, flags, async ({ client }) => {
    const delivery = await client.getDelivery(id ?? '');
    return {
      document: delivery,
      ids: [delivery.id],
      text: `${factsOf(delivery)}\n${harmless(indented(delivery.body))}\n`,
    };
  });
}

/** `berth deliveries run-again`. */
export async function runAgain(context: CommandContext, _: CommonFlags, id: string | undefined) {
  return present(context, {}, async ({ client }) => {
    const delivery = await client.runDeliveryAgain(id ?? '');
    return { document: delivery, ids: [delivery.id], text: factsOf(delivery) };
  });
}

/** `berth triggers list`. */
export async function triggers(context: CommandContext, flags: PresentFlags): Promise<number> {
  return present(context, flags, async ({ client }) => {
    const { triggers: all } = await client.listTriggers();
    const columns = [
      { title: 'NAME' },
      { title: 'PROJECT' },
      { title: 'KIND' },
      { title: 'ON', isFlexible: true },
      { title: 'PATH' },
    ];
    const rows = all.map((one) => [
      { text: one.name },
      { text: one.project },
      { text: one.enabled ? one.kind : 'off' },
      { text: harmlessLine(one.on) },
      { text: one.path ?? 'no webhookSecret' },
    ]);
    return {
      items: all,
      next: null,
      ids: all.map(({ name }) => name),
      text: table(context.out, context.paint, columns, rows),
      notes: all.length === 0 ? ['No trigger yet: see `triggers` in docs/triggers.md'] : [],
    };
  });
}

/** `berth triggers test`. */
export async function test(
  context: CommandContext,
  flags: CommonFlags & { readonly body?: string; readonly event?: string },
  name: string | undefined,
): Promise<number> {
  const body = await bodyOf(context, flags.body);
  return present(context, {}, async ({ client }) => {
    const trial = await client.testTrigger(name ?? '', body, flags.event ?? '');
    const why = trial.code === null ? (trial.reason ?? '') : `${trial.code}: ${trial.reason ?? ''}`;
    const facts = [
      trial.wouldStart
        ? `It would start a task in ${trial.project}: ${trial.title ?? ''}`
        : `It would start nothing. ${why}`,
      ...trial.notes,
    ];
    const text = trial.text === null ? '' : `\n${harmless(trial.text)}\n`;
    return { document: trial, ids: [trial.trigger], text: `${facts.map(harmlessLine).join('\n')}\n${text}` };
  });
}

async function bodyOf(context: CommandContext, file: string | undefined): Promise<Record<string, unknown>> {
  if (file === undefined)
    throw failure('USAGE', 'Name the body: --body FILE, or --body - for standard input.');
  const { stdin, cwd } = context.io;
  const text = await readAll(file === '-' ? stdin : createReadStream(resolve(cwd, file))).catch(() => {
    throw failure('FILE_UNREADABLE', `The file ${file} cannot be read.`);
  });
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw failure('USAGE', `${file} is not JSON.`);
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw failure('USAGE', `${file} holds no JSON object.`);
  }
  return body as Record<string, unknown>;
}

function factsOf(one: Delivery): string {
  const facts = [
    `${one.id}  ${one.name}  ${one.event}  ${one.subject ?? ''}`,
    `${one.state}${one.code === null ? '' : ` (${one.code})`}${one.reason === null ? '' : `: ${one.reason}`}`,
    ...one.notes,
    `received ${one.receivedAt}, ${one.bytes} bytes, tried ${one.attempts} times, round ${one.round}`,
    ...(one.trigger === null ? [] : [`trigger ${one.trigger}`]),
    ...(one.taskId === null ? [] : [`task ${one.taskId}`]),
  ];
  return `${facts.map(harmlessLine).join('\n')}\n`;
}

function indented(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
