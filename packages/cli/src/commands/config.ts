import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { harmless, harmlessLine, type Config } from '@berth/client';
import type { CommandContext, CommonFlags } from '../command-context.ts';
import { failure } from '../failure.ts';
import { table } from '../output/table.ts';
import { ago } from '../output/units.ts';
import { present, type PresentFlags } from '../present.ts';
import { homeOf } from '../session.ts';

/** Where a server on this machine reads its configuration, or would. */
function pathOf(env: CommandContext['io']['env']): string {
  const named = env['BERTH_CONFIG'];
  return named !== undefined && named !== '' ? resolve(named) : join(homeOf(env), 'berth.yaml');
}

/** `berth config path`. */
export async function path(context: CommandContext): Promise<number> {
  const found = pathOf(context.io.env);
  const exists = existsSync(found);
  if (context.format === 'json' || context.format === 'jsonl') {
    context.printDocument({ schema: 'berth.config-path/v1', path: found, exists });
  } else context.out.write(`${found}\n`);
  if (!exists) context.note('There is no file there.');
  return 0;
}

/** `berth config check [file]`: needs no server; exits 2 with one line per problem. */
export async function check(
  context: CommandContext,
  _flags: CommonFlags,
  file: string | undefined,
): Promise<number> {
  const { env } = context.io;
  const nearby = existsSync('berth.yaml') ? 'berth.yaml' : pathOf(env);
  const shown = file ?? ((env['BERTH_CONFIG'] ?? '') === '' ? nearby : pathOf(env));
  const bytes = readBytes(shown);
  const { checkConfigText } = await import('@berth/server/start/check-config.ts');
  const parsed = checkConfigText(decode(bytes), env);
  const problems = parsed.ok ? [] : parsed.problems;
  if (context.format === 'json' || context.format === 'jsonl') {
    context.printDocument({ schema: 'berth.config-check/v1', path: shown, ok: parsed.ok, problems });
  } else {
    for (const { line, column, sentence } of problems) {
      context.out.write(`${harmlessLine(`${shown}:${line}:${column}: ${sentence}`)}\n`);
    }
    if (parsed.ok) context.note(`${shown} is valid.`);
  }
  return parsed.ok ? 0 : 2;
}

function readBytes(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      throw failure(
        'FILE_UNREADABLE',
        `There is no file ${path}.`,
        'Berth needs none. Name another one: `berth config check FILE`.',
      );
    }
    const why = error instanceof Error ? error.message : String(error);
    throw failure('FILE_UNREADABLE', `${path} cannot be read: ${why}`);
  }
}

/** What is no UTF-8 becomes a text that is refused as that. */
function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return '\uD800';
  }
}

/** `berth config show`: what counts, where it comes from, and what is wrong with the file. */
export async function show(context: CommandContext, flags: PresentFlags): Promise<number> {
  return present(context, flags, async (session) => {
    const config = await session.client.getConfig();
    return { document: config, ids: [String(config.revision)], text: showText(context, config) };
  });
}

const fileWords: Readonly<Record<Config['file']['state'], string>> = {
  none: 'there is none',
  counts: 'counts',
  differs: 'does not count: another replica imported a different one later',
  invalid: 'is not valid; what counted before goes on counting',
  unreadable: 'cannot be read; what counted before goes on counting',
};

function showText({ out, paint }: CommandContext, config: Config): string {
  const { file } = config;
  const lines = [
    `revision  ${config.revision}`,
    `file      ${file.path}: ${fileWords[file.state]}`,
    ...config.problems.map((one) => `problem   ${file.path}:${one.line}:${one.column}: ${one.sentence}`),
    ...config.warnings.map((warning) => `warning   ${warning}`),
  ];
  const rows = Object.entries(config.sources)
    .filter(([, source]) => source !== 'default')
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .map(([id, source]) => [{ text: harmlessLine(id) }, { text: source === 'database' ? 'API' : 'file' }]);
  const columns = [{ title: 'WHAT', isFlexible: true }, { title: 'FROM' }];
  const sources = rows.length === 0 ? '' : `\n${table(out, paint, columns, rows)}`;
  return `${lines.map((line) => harmlessLine(line)).join('\n')}\n${sources}`;
}

/** `berth config export`: both layers as one file. */
export async function exportConfig(context: CommandContext): Promise<number> {
  return context.withSession(['api'], async (session) => {
    const text = await session.client.exportConfig();
    if (context.format === 'json' || context.format === 'jsonl') {
      context.printDocument({ schema: 'berth.config-export/v1', text });
    } else context.out.write(harmless(text));
    return 0;
  });
}

/** `berth config revisions`, newest first. */
export async function revisions(context: CommandContext, flags: PresentFlags): Promise<number> {
  return present(context, flags, async (session) => {
    const page = await session.client.listConfigRevisions({ limit: 100 });
    const nowMs = Date.now();
    const rows = page.revisions.map((one) => [
      { text: String(one.number) },
      { text: one.source === 'database' ? 'API' : 'file' },
      { text: harmlessLine(one.by) },
      { text: one.digest.slice(0, 12), plain: one.digest },
      { text: ago(one.at, nowMs), plain: one.at },
    ]);
    const columns = [
      { title: 'NUMBER' },
      { title: 'FROM' },
      { title: 'BY', isFlexible: true },
      { title: 'DIGEST' },
      { title: 'AGE', side: 'right' as const },
    ];
    return {
      items: page.revisions,
      next: page.next === null ? null : String(page.next),
      ids: page.revisions.map((one) => String(one.number)),
      text: table(context.out, context.paint, columns, rows),
      notes: page.revisions.length === 0 ? ['Nothing was ever configured.'] : [],
    };
  });
}
