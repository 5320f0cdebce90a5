import { family } from './entry.ts';

/** Codes of model providers, cassettes and prices. */
export const modelErrors = family({
  MODEL_UNAVAILABLE: {
    sentence: 'The model provider does not answer.',
    next: 'The run can be resumed when the provider is back.',
    retryable: true,
    http: 502,
    exit: 10,
  },
});
