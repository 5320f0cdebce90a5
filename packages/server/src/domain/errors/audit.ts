import { family } from './entry.ts';

/** Codes of the record of acts. */
export const auditErrors = family({
  AUDIT_KEY_UNUSABLE: {
    sentence: 'The signing key of the record of acts cannot be used.',
    next: 'Give an Ed25519 private key in PEM that only the account of Berth can read (docs/audit.md).',
    retryable: false,
    http: 500,
    exit: 1,
  },
  AUDIT_OVERLOADED: {
    sentence: 'More acts are waiting to be recorded than the database takes in.',
    next: 'Try again in a moment; what cannot be recorded is not done.',
    retryable: true,
    http: 503,
    exit: 10,
  },
  AUDIT_ROLLED_BACK: {
    sentence: 'The record of acts ends before the last head that was signed.',
    next: 'Was the database restored from a copy? `berth audit verify` names what is missing (docs/audit.md).',
    retryable: false,
    http: 500,
    exit: 11,
  },
  AUDIT_FAULT: {
    sentence: 'The record does not hold.',
    next: 'Keep the database and the heads file as they are, and read docs/audit.md.',
    retryable: false,
    http: 500,
    exit: 11,
  },
  EGRESS_REFUSED: {
    sentence: 'The egress policy refused a connection of a sandbox.',
    next: 'Allow the host in the blueprint or the configuration if the sandbox should reach it.',
    retryable: false,
    http: 403,
    exit: 4,
  },
});
