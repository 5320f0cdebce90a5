import { isAbsolute } from 'node:path';
import { harmlessLine, type Project, type ProjectRow } from '@berth/client';
import type { CommandContext, CommonFlags } from '../command-context.ts';
import { failure } from '../failure.ts';
import { table } from '../output/table.ts';
import { present, type PresentFlags } from '../present.ts';
import { isUrl } from '../repository.ts';
import { snapshotsText } from './snapshots.ts';

export interface ProjectListFlags extends PresentFlags {
  readonly cursor?: string;
}

const sourceWords: Readonly<Record<ProjectRow['source'], string>> = {
  default: 'not configured',
  file: 'file',
  database: 'API',
};

/** `berth projects`. */
export async function list(context: CommandContext, flags: ProjectListFlags): Promise<number> {
  return present(context, flags, async (session) => {
    const page = await session.client.listProjects({
      limit: 100,
      ...(flags.cursor === undefined ? {} : { cursor: flags.cursor }),
    });
    const rows = page.projects.map((project) => [
      { text: harmlessLine(project.name) },
      { text: harmlessLine(project.repository) },
      { text: sourceWords[project.source] },
      { text: harmlessLine(project.description) },
    ]);
    const columns = [
      { title: 'NAME' },
      { title: 'REPOSITORY', isFlexible: true },
      { title: 'FROM' },
      { title: 'DESCRIPTION', isFlexible: true },
    ];
    return {
      items: page.projects,
      next: page.next,
      ids: page.projects.map((project) => project.id),
      text: table(context.out, context.paint, columns, rows),
      notes: [
        ...(page.projects.length === 0 ? ['No project yet: `berth projects add NAME REPOSITORY`'] : []),
        ...(page.next === null ? [] : [`More: berth projects --cursor ${page.next}`]),
      ],
    };
  });
}

/** `berth projects view`. */
export async function view(
  context: CommandContext,
  flags: PresentFlags,
  id: string | undefined,
): Promise<number> {
  if (id === undefined) throw failure('USAGE', 'Which project? Give its name or id.');
  return present(context, flags, async (session) => {
    const project = await session.client.getProject(id);
    // For people; whoever wants the document asks for it by itself (`projects snapshots list`).
    const isText = context.format === 'text';
    const kept = isText ? await session.client.listSnapshots(project.id) : null;
    const text = viewText(context, project);
    return {
      document: project,
      ids: [project.id],
      text:
        kept === null || kept.snapshots.length === 0 ? text : `${text}\n\n${snapshotsText(context, kept)}`,
    };
  });
}

function viewText({ out, paint }: CommandContext, project: Project): string {
  const head = [
    `${project.name}  ${project.id}`,
    project.repository,
    ...(project.description === '' ? [] : [project.description]),
    `configured: ${sourceWords[project.source]}`,
  ];
  const rows = project.settings.map(({ name, value, source, key }) => [
    { text: harmlessLine(name) },
    { text: harmlessLine(settingText(name, value)) },
    { text: source === 'database' ? 'API' : source },
    { text: harmlessLine(key) },
  ]);
  const columns = [
    { title: 'SETTING' },
    { title: 'VALUE', isFlexible: true },
    { title: 'FROM' },
    { title: 'KEY', isFlexible: true },
  ];
  return `${head.map((line) => harmlessLine(line)).join('\n')}\n\n${table(out, paint, columns, rows)}`;
}

/** A value as a person reads it; variables that sandboxes get as they are say so. */
function settingText(name: string, value: unknown): string {
  if (value === null) return '–';
  if (typeof value === 'string') return value;
  if (name !== 'forwardEnv' || !Array.isArray(value) || value.length === 0) return JSON.stringify(value);
  return `exposed: ${value.map((one: { name?: unknown }) => String(one.name)).join(', ')}`;
}

/** `berth projects add`: makes a project in the layer of the API. */
export async function add(
  context: CommandContext,
  _flags: CommonFlags,
  name: string | undefined,
  repository: string | undefined,
): Promise<number> {
  if (name === undefined || repository === undefined) {
    throw failure('USAGE', 'Give a name and a repository: `berth projects add NAME REPOSITORY`.');
  }
  if (!isUrl(repository) && !isAbsolute(repository)) {
    throw failure(
      'USAGE',
      `${JSON.stringify(repository)} is no URL and no absolute path.`,
      'A server stands in no directory of yours: write the whole path.',
    );
  }
  return context.withSession(['api'], async (session) => {
    await session.client.addConfigObject('projects', name, { repository });
    const project = await session.client.getProject(name);
    if (context.format === 'json' || context.format === 'jsonl') context.printDocument(project);
    else if (context.format === 'quiet') context.out.write(`${project.id}\n`);
    else context.out.write(`${harmlessLine(`${project.name}  ${project.id}  ${project.repository}`)}\n`);
    return 0;
  });
}
