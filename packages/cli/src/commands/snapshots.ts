import { harmlessLine, type ProjectSnapshots } from '@berth/client';
import type { CommandContext } from '../command-context.ts';
import { confirm } from '../confirm.ts';
import { failure } from '../failure.ts';
import { table } from '../output/table.ts';
import { ago, bytes, count } from '../output/units.ts';
import { present, type PresentFlags } from '../present.ts';

/** `berth projects snapshots list PROJECT`. */
export async function list(
  context: CommandContext,
  flags: PresentFlags,
  project: string | undefined,
): Promise<number> {
  const name = named(project);
  return present(context, flags, async (session) => {
    const found = await session.client.listSnapshots(name);
    return {
      document: found,
      ids: found.snapshots.map(({ key }) => key),
      text: snapshotsText(context, found),
    };
  });
}

/** `berth projects snapshots clear PROJECT`. */
export async function clear(
  context: CommandContext,
  flags: PresentFlags & { readonly yes?: boolean },
  project: string | undefined,
): Promise<number> {
  const name = named(project);
  return context.withSession(['api'], async (session) => {
    const found = await session.client.listSnapshots(name);
    const { length } = found.snapshots;
    const what = `${length} ${length === 1 ? 'snapshot' : 'snapshots'} (${bytes(found.storedBytes)})`;
    if (flags.yes !== true && length > 0)
      await confirm(context, `Forget ${what} of ${harmlessLine(found.project)}?`);
    const cleared = await session.client.clearSnapshots(name);
    if (context.format === 'json' || context.format === 'jsonl') context.printDocument(cleared);
    else if (context.format !== 'quiet')
      context.out.write(`${cleared.removed} forgotten, ${bytes(cleared.storedBytes)} free again\n`);
    return 0;
  });
}

/** Of `berth projects view` too. */
export function snapshotsText({ out, paint }: CommandContext, found: ProjectSnapshots): string {
  if (found.snapshots.length === 0) return 'No snapshot of setup.';
  const nowMs = Date.now();
  const columns = [
    { title: 'SNAPSHOT' },
    { title: 'MADE' },
    { title: 'BY RUN' },
    { title: 'LAST USED' },
    { title: 'FILES', side: 'right' as const },
    { title: 'STORED', side: 'right' as const },
  ];
  const rows = found.snapshots.map((one) => [
    { text: one.key.slice(0, 12), plain: one.key },
    { text: ago(one.madeAt, nowMs), plain: one.madeAt },
    { text: harmlessLine(one.run) },
    { text: ago(one.lastUsedAt, nowMs), plain: one.lastUsedAt },
    { text: count(one.files), plain: String(one.files) },
    { text: bytes(one.storedBytes), plain: String(one.storedBytes) },
  ]);
  const all = `${bytes(found.storedBytes)} of at most ${bytes(found.mostStoredBytes)}`;
  return `${table(out, paint, columns, rows)}\n${all}`;
}

function named(project: string | undefined): string {
  if (project === undefined) throw failure('USAGE', 'Which project? Give its name or id.');
  return project;
}
