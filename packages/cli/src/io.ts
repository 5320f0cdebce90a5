import type { ServerModule } from './server-module.ts';

/** A stream as the command uses it; a TTY has a size. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
  on?(event: 'resize', listener: () => void): unknown;
  off?(event: 'resize', listener: () => void): unknown;
}

/** Everything of the world that the command touches. */
export interface Io {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly stdin: AsyncIterable<Uint8Array> & { readonly isTTY?: boolean | undefined };
  /** Results only. */
  readonly stdout: Output;
  /** Progress, notes, errors. */
  readonly stderr: Output;
  /** Loads the server into this process; only called to host one. */
  readonly loadServer: () => Promise<ServerModule>;
}
