import type Docker from 'dockerode';

/** Enough to see why it ended; the rest is the service's own. */
const shownCharacters = 1_500;
const shownLines = 40;
/** A line may be endless: more than this is not read. */
const mostBytes = 256 * 1024;
/** Shorter values are words that stand everywhere. */
const shortestSecret = 6;

/** The end of what a service printed, without the values that were forwarded into the sandbox. Hostile text. */
export async function serviceLog(container: Docker.Container, secrets: readonly string[]): Promise<string> {
  const raw = await container
    .logs({ stdout: true, stderr: true, follow: false, tail: shownLines })
    .catch(() => Buffer.alloc(0));
  let text = demultiplexed(Buffer.from(raw)).slice(-mostBytes);
  for (const secret of [...secrets].sort((a, b) => b.length - a.length))
    if (secret.length >= shortestSecret) text = text.replaceAll(secret, '[redacted]');
  const plain = text.replaceAll(/[^\P{C}\n]/gu, '').trim();
  return plain.length > shownCharacters ? `…${plain.slice(-shownCharacters)}` : plain;
}

/** Engines put eight bytes before each part: the stream, three zeros, the length. What is not so is taken as it is. */
export function demultiplexed(raw: Buffer): string {
  const parts: Buffer[] = [];
  for (let at = 0; at < raw.length;) {
    if (at + 8 > raw.length || raw[at]! > 2 || raw.readUIntBE(at + 1, 3) !== 0) return raw.toString('utf8');
    const bytes = raw.readUInt32BE(at + 4);
    parts.push(raw.subarray(at + 8, at + 8 + bytes));
    at += 8 + bytes;
  }
  return Buffer.concat(parts).toString('utf8');
}
