import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { BerthError } from '../../domain/errors/index.ts';

const storedSchema = z.object({
  version: z.literal(1),
  key: z.string(),
  number: z.number().int().positive(),
  title: z.string(),
  branch: z.string(),
  base: z.string(),
  head: z.string(),
  draft: z.boolean(),
  state: z.enum(['open', 'merged', 'closed']),
  createdAt: z.string(),
  mergedAs: z.string().nullable(),
  mergedBy: z.string().nullable(),
});
export type StoredPullRequest = z.infer<typeof storedSchema>;

/**
 * Pull requests as files: `<n>.json` with the facts and `<n>.md` with the text people read. Both are replaced
 * as a whole, so a reader sees the old or the new one. Writers hold the forge's lock.
 */
export class PullRequestFiles {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  textPath(number: number): string {
    return join(this.#directory, `${number}.md`);
  }

  async list(): Promise<StoredPullRequest[]> {
    const names = await readdir(this.#directory).catch(() => []);
    const numbers = names
      .flatMap((name) => {
        const match = /^([1-9]\d{0,8})\.json$/.exec(name);
        return match === null ? [] : [Number(match[1])];
      })
      .sort((left, right) => left - right);
    const all = await Promise.all(numbers.map((number) => this.read(number)));
    return all.filter((one) => one !== null);
  }

  /** @throws BerthError `INTERNAL` when the file is not one of ours */
  async read(number: number): Promise<StoredPullRequest | null> {
    const path = join(this.#directory, `${number}.json`);
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    });
    if (text === null) return null;
    const parsed = storedSchema.safeParse(parseJson(text));
    if (!parsed.success)
      throw new BerthError('INTERNAL', `The file ${path} is not a pull request.`, { cause: parsed.error });
    return parsed.data;
  }

  async text(number: number): Promise<string> {
    return readFile(this.textPath(number), 'utf8').catch(() => '');
  }

  /** The text first: a pull request that can be seen is whole. */
  async write(stored: StoredPullRequest, text: string): Promise<void> {
    await mkdir(this.#directory, { recursive: true });
    await this.#replace(`${stored.number}.md`, text);
    await this.#replace(`${stored.number}.json`, `${JSON.stringify(stored, null, 2)}\n`);
  }

  async #replace(name: string, text: string): Promise<void> {
    const temporary = join(this.#directory, `.${name}.${randomUUID()}`);
    const file = await open(temporary, 'wx', 0o644);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, join(this.#directory, name));
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
