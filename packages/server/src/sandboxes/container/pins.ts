import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

const pinSchema = z.object({ name: z.string(), id: z.string(), digest: z.string().nullable() });
type Pin = z.infer<typeof pinSchema>;

/** Longer than any run: what was pinned before is of nobody. */
const keptMs = 30 * 24 * 60 * 60_000;

/**
 * The image a run uses is chosen once: all its sandboxes (the agent's and the one that verifies) have the same, also
 * when somebody moves the name meanwhile, and after a worker's death.
 */
export async function pinnedImage(
  stateDirectory: string,
  runId: string,
  name: string,
  resolve: () => Promise<{ readonly id: string; readonly digest: string | null }>,
): Promise<Pin> {
  const directory = join(stateDirectory, 'images');
  const key = createHash('sha256').update(`${runId}\0${name}`).digest('hex').slice(0, 32);
  const file = join(directory, `${key}.json`);
  try {
    return pinSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    // The run's first sandbox with this image.
  }
  const { id, digest } = await resolve();
  const pin: Pin = { name, id, digest };
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  writeFileSync(`${file}.${process.pid}.tmp`, JSON.stringify(pin), { mode: 0o600 });
  renameSync(`${file}.${process.pid}.tmp`, file);
  forgetOld(directory);
  return pin;
}

function forgetOld(directory: string): void {
  const before = Date.now() - keptMs;
  for (const name of readdirSync(directory)) {
    const file = join(directory, name);
    try {
      if (statSync(file).mtimeMs < before) rmSync(file, { force: true });
    } catch {
      // Another worker was quicker.
    }
  }
}
