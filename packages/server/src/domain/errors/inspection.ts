import { family } from './entry.ts';

/** Codes of connections out of a sandbox whose contents are read. */
export const inspectionErrors = family({
  EGRESS_CREDENTIAL_AMBIGUOUS: {
    sentence:
      'A request out of a sandbox carried something where a brokered credential belongs, or a placeholder elsewhere.',
    next: 'Let the tool send nothing or the placeholder in that place (docs/egress-inspection.md).',
    retryable: false,
    http: 403,
    exit: 4,
  },
  EGRESS_CREDENTIAL_ECHOED: {
    sentence: 'A server repeated a brokered credential in its answer; it was blanked out.',
    next: 'Narrow the paths of the credential, so that it is not sent to what repeats it.',
    retryable: false,
    http: 502,
    exit: 4,
  },
  EGRESS_SERVER_UNTRUSTED: {
    sentence: 'A server outside did not prove who it is, so no request was sent to it.',
    next: 'If your company signs its certificate, add that authority to egress.trust; if it expired, have it renewed.',
    retryable: false,
    http: 502,
    exit: 4,
  },
  EGRESS_REQUEST_MALFORMED: {
    sentence: 'A request out of a sandbox could be read in more than one way.',
    next: 'Nothing, if no tool of yours sends such requests: the agent or a dependency tried something.',
    retryable: false,
    http: 400,
    exit: 4,
  },
});
