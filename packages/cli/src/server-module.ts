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
}

export interface HostedServer {
  readonly socketPath: string;
  /** Lets go of everything; runs that were moving can be taken over by the next server. */
  stop(): Promise<void>;
}

/** The real one; loaded by name so that nothing of it is read before it is needed. */
export async function loadServer(): Promise<ServerModule> {
  const name = '@berth/server';
  return (await import(name)) as ServerModule;
}
