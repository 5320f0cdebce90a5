/** What this command needs of the server's package to host one. */
export interface ServerModule {
  startServer(options: StartOptions): Promise<HostedServer>;
}

export interface StartOptions {
  /** The data directory. */
  readonly home: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** `api` answers; `worker` moves runs. */
  readonly parts: readonly ('api' | 'worker')[];
  /** Told in a sentence what takes a while (the first start of the database, say). */
  readonly onProgress: (sentence: string) => void;
  /** Also on TCP; `default`: where the configuration says. */
  readonly listen?: { readonly host: string; readonly port: number } | 'default';
  readonly socket?: 'required' | 'if-free';
  readonly log?: { readonly write: (line: string) => void; readonly pretty: boolean };
  readonly stopTimeoutMs?: number;
  /** Runs worked on at once. */
  readonly maxRuns?: number;
}

export interface HostedServer {
  readonly socketPath: string;
  /** Where it listens on TCP; null or absent: nowhere. */
  readonly url?: string | null;
  signInLink?(): Promise<string | null>;
  /** Lets go of everything; runs that were moving can be taken over by the next server. */
  stop(): Promise<void>;
}

/** The real one; loaded by name so that nothing of it is read before it is needed. */
export async function loadServer(): Promise<ServerModule> {
  const name = '@berth/server';
  return (await import(name)) as ServerModule;
}
