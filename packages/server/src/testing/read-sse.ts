import { request, type IncomingMessage } from 'node:http';

export interface SseSeen {
  readonly event: string;
  readonly id: string | null;
  readonly data: unknown;
}

/** A plain reader of an event stream over a unix socket; messages and comments as they come. */
export async function openSse(
  socketPath: string,
  path: string,
  headers: Record<string, string> = {},
): Promise<{ message: IncomingMessage; seen: AsyncGenerator<SseSeen | { comment: string }> }> {
  const message = await new Promise<IncomingMessage>((resolve, reject) => {
    request({ socketPath, path, headers: { host: 'localhost', ...headers }, agent: false }, resolve)
      .on('error', reject)
      .end();
  });
  return { message, seen: blocks(message) };
}

async function* blocks(message: IncomingMessage): AsyncGenerator<SseSeen | { comment: string }> {
  let rest = '';
  message.setEncoding('utf8');
  for await (const piece of message as AsyncIterable<string>) {
    const parts = (rest + piece).split('\n\n');
    rest = parts.pop() ?? '';
    for (const part of parts) {
      if (part.startsWith(':')) yield { comment: part.slice(1).trim() };
      const field = (name: string): string | null =>
        new RegExp(`^${name}: (.*)$`, 'm').exec(part)?.[1] ?? null;
      const data = field('data');
      if (data !== null) {
        yield { event: field('event') ?? 'message', id: field('id'), data: JSON.parse(data) as unknown };
      }
    }
  }
}
