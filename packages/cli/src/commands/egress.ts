import { isIPv6 } from 'node:net';
import { harmlessLine, type EgressExplained } from '@berth/client';
import type { CommandContext } from '../command-context.ts';
import { failure } from '../failure.ts';
import { present, type PresentFlags } from '../present.ts';
import type { Session } from '../session.ts';

export interface ExplainFlags extends PresentFlags {
  readonly project?: string;
  readonly method?: string;
  readonly path?: string;
  readonly step?: 'setup' | 'agent' | 'check' | 'verify';
}

/** `berth egress explain HOST[:PORT]`: what the policy of a project would decide now, and why. */
export async function explain(
  context: CommandContext,
  flags: ExplainFlags,
  place: string | undefined,
): Promise<number> {
  const { host, port } = readPlace(place ?? '');
  return present(context, flags, async (session) => {
    const { method, path, step } = flags;
    const explained = await session.client.explainEgress(flags.project ?? (await onlyProject(session)), {
      host,
      port,
      ...(method === undefined ? {} : { method: method.toUpperCase() }),
      ...(path === undefined ? {} : { path }),
      ...(step === undefined ? {} : { step }),
    });
    return { document: explained, ids: [], text: explainedText(context, explained) };
  });
}

/** `host`, `host:port`, `address`, `[address]:port`. @throws ApiFailure `USAGE` */
export function readPlace(text: string): { readonly host: string; readonly port: number } {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:\s/[\]]+))(?::(\d{1,5}))?$/i.exec(text);
  const bare = isIPv6(text) ? text : null;
  const host = bare ?? match?.[1] ?? match?.[2];
  const port = Number(bare === null ? (match?.[3] ?? 443) : 443);
  if (host === undefined || port < 1 || port > 65_535) {
    throw failure('USAGE', `${JSON.stringify(text)} is no HOST or HOST:PORT.`, 'Like api.example.org:443.');
  }
  return { host, port };
}

async function onlyProject({ client }: Session): Promise<string> {
  const { projects } = await client.listProjects({ limit: 2 });
  const [only, other] = projects;
  if (only !== undefined && other === undefined) return only.id;
  throw failure('USAGE', 'For which project? Give --project.', 'List them with `berth projects`.');
}

function explainedText({ paint }: CommandContext, found: EgressExplained): string {
  const request =
    found.method === null && found.path === null ? '' : `${found.method ?? 'GET'} ${found.path ?? '/'} on `;
  const lines = [harmlessLine(`${request}${found.host}:${found.port}, project ${found.project}`)];
  for (const step of found.steps) {
    const verdict = step.allowed ? paint('good', 'allowed') : paint('bad', 'refused');
    const by = step.rule === null ? '' : ` (${step.layer}: ${step.rule})`;
    lines.push(`  ${step.step.padEnd(7)} ${verdict}  ${harmlessLine(`${step.reason}${by}`)}`);
    if (step.contents !== null) {
      const read = step.contents === 'inspect' ? 'each request is read' : 'a tunnel, contents not inspected';
      lines.push(
        `          ${read}${step.credential === null ? '' : harmlessLine(`; gets the credential ${step.credential}`)}`,
      );
    }
  }
  for (const { address, refused } of found.addresses) {
    lines.push(
      harmlessLine(`  ${address}  ${refused === null ? 'may be connected to' : `refused: ${refused}`}`),
    );
  }
  if (found.unresolved !== null) lines.push(harmlessLine(`  addresses: ${found.unresolved}`));
  return lines.join('\n');
}
