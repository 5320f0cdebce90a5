import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { failureFrom } from '@berth/client';
import type { CommandContext, CommonFlags } from '../command-context.ts';
import { failure } from '../failure.ts';

export interface ApiFlags extends CommonFlags {
  readonly field: readonly string[];
  /** `--input`; `input` is what `--no-input` takes away. */
  readonly inputFile?: string;
}

const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD'];

/** `berth api [METHOD] PATH`: any request to the API, signed in like every command; the answer as it comes. */
export async function api(
  context: CommandContext,
  flags: ApiFlags,
  first: string | undefined,
  second?: string,
): Promise<number> {
  const [given, path] = second === undefined ? ['GET', first ?? ''] : [first ?? '', second];
  const method = given.toUpperCase();
  if (!methods.includes(method))
    throw failure('USAGE', `There is no method ${given}.`, `One of ${methods.join(', ')}.`);
  const fields = flags.field.map(fieldOf);
  const hasBody = method !== 'GET' && method !== 'HEAD';
  if (flags.inputFile !== undefined && fields.length > 0) {
    throw failure('USAGE', 'The body comes from --input or from -f, not from both.');
  }
  if (flags.inputFile !== undefined && !hasBody) throw failure('USAGE', `A ${method} request has no body.`);
  const address = addressOf(path, hasBody ? [] : fields);
  const body = hasBody ? await bodyOf(context, flags.inputFile, fields) : undefined;
  return context.withSession(['api'], async (session) => {
    const answer = await session.client.raw(method, address, {
      ...(body === undefined ? {} : { body }),
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(method === 'POST' ? { 'idempotency-key': randomUUID() } : {}),
      },
    });
    if (!answer.ok) throw failureFrom(await answer.json().catch(() => null), answer.status);
    const decoder = new TextDecoder();
    for await (const piece of answer.body ?? []) context.out.write(decoder.decode(piece, { stream: true }));
    context.out.write(decoder.decode());
    return 0;
  });
}

/** `/runs` means `/api/v1/runs`. */
function addressOf(path: string, fields: readonly (readonly [string, string])[]): string {
  if (!/^\/(?!\/)[\x21-\x7e]*$/.test(path)) {
    throw failure(
      'USAGE',
      `${JSON.stringify(path)} is no path of the API.`,
      'Give one such as /runs or /api/v1/runs.',
    );
  }
  const whole = /^\/(api|healthz|readyz)(\/|$|\?)/.test(path) ? path : `/api/v1${path}`;
  if (fields.length === 0) return whole;
  const query = new URLSearchParams(
    fields.map(([name, value]): [string, string] => [name, value]),
  ).toString();
  return `${whole}${whole.includes('?') ? '&' : '?'}${query}`;
}

/** `true`, `false`, `null` and whole numbers are those; all else is text. */
async function bodyOf(
  { io }: CommandContext,
  input: string | undefined,
  fields: readonly (readonly [string, string])[],
): Promise<Uint8Array | undefined> {
  if (input === '-') {
    const pieces: Uint8Array[] = [];
    for await (const piece of io.stdin) pieces.push(piece);
    return Buffer.concat(pieces);
  }
  if (input !== undefined) {
    return readFile(resolve(io.cwd, input)).catch(() => {
      throw failure('FILE_UNREADABLE', `${input} cannot be read.`);
    });
  }
  if (fields.length === 0) return undefined;
  const members = fields.map(([name, value]) => [name, valueOf(value)] as const);
  return Buffer.from(JSON.stringify(Object.fromEntries(members)));
}

function valueOf(text: string): unknown {
  return /^(true|false|null|-?\d{1,15}|\[.*\]|\{.*\})$/.test(text) ? parsed(text) : text;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

function fieldOf(text: string): readonly [string, string] {
  const place = text.indexOf('=');
  if (place <= 0)
    throw failure('USAGE', `${JSON.stringify(text)} is no field.`, 'Write it as -f name=value.');
  return [text.slice(0, place), text.slice(place + 1)];
}
