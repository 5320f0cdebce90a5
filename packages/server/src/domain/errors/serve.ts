import { family } from './entry.ts';

/** Codes of starting, listening, replicas, terminals and stopping. */
export const serveErrors = family({
  PORT_TAKEN: {
    sentence: 'The address to listen on is taken.',
    next: 'Choose another with `--port`, or end what holds it.',
    retryable: false,
    http: 409,
    exit: 9,
  },
  LISTEN_INVALID: {
    sentence: 'The address to listen on is not valid.',
    next: 'Write it as host:port, for example 127.0.0.1:7420 or [::1]:7420.',
    retryable: false,
    http: 400,
    exit: 2,
  },
  NOT_READY: {
    sentence: 'The server cannot serve now.',
    next: 'Look at the checks that failed; repeat in a moment.',
    retryable: true,
    http: 503,
    exit: 10,
  },
  INTERNAL_KEY_UNSAFE: {
    sentence: 'The internal key cannot be used.',
    next: 'Give its file mode 0600 and an Ed25519 private key (PKCS 8, PEM), the same on every replica.',
    retryable: false,
    http: 500,
    exit: 2,
  },
  OWNER_UNREACHABLE: {
    sentence: 'The worker that owns this run cannot be reached.',
    next: 'Try again in a moment; the run goes on.',
    retryable: true,
    http: 503,
    exit: 10,
  },
  TERMINAL_UNAVAILABLE: {
    sentence: 'The run has no sandbox in which a terminal could be opened now.',
    next: 'A terminal opens while the run works in its sandbox: see `berth show RUN`.',
    retryable: true,
    http: 409,
    exit: 9,
  },
  TERMINAL_LIMIT: {
    sentence: 'This run has as many open terminals as are allowed.',
    next: 'Close one of them.',
    retryable: true,
    http: 429,
    exit: 9,
  },
  TERMINAL_IDLE: {
    sentence: 'The terminal was closed because nothing was typed for a while.',
    next: 'Open it again with `berth runs terminal RUN`.',
    retryable: true,
    http: 408,
    exit: 9,
  },
});
