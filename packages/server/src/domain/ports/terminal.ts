/** How a terminal ended. */
export type TerminalEnd =
  | { readonly kind: 'exit'; readonly exitCode: number | null }
  /** It could not be opened, or not be kept; a code of the registry. */
  | { readonly kind: 'failed'; readonly code: string; readonly sentence: string };

export interface TerminalRequest {
  readonly runId: string;
  readonly columns: number;
  readonly rows: number;
  /** Principal id of whoever types. */
  readonly by: string;
}

/** Whoever sits at the terminal. */
export interface TerminalPeer {
  /** Resolves when there is room for more: until then the shell waits. */
  output(data: Uint8Array): Promise<void>;
  /** A sentence about the terminal itself: it is being attached again, say. */
  notice(sentence: string): void;
}

export interface Terminal {
  /** False: too much is waiting to be taken; nothing of it was. */
  type(data: Uint8Array): boolean;
  resize(columns: number, rows: number): void;
  /** The person left: the shell and what it started end. */
  leave(): void;
  readonly ended: Promise<TerminalEnd>;
  /** Bytes typed and shown until now. */
  readonly traffic: { readonly bytesIn: number; readonly bytesOut: number };
}

/**
 * Shells in the sandboxes of runs, for people. The shell lives in the sandbox and outlives the worker: after a
 * take-over it is attached again at the byte where the output stopped.
 */
export interface Terminals {
  open(request: TerminalRequest, peer: TerminalPeer): Terminal;
}
