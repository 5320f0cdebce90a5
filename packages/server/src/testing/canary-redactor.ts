import type { Redactor } from '../domain/ports/redaction.ts';
import { createRedactor } from '../secrets/redactor.ts';

/** What a test plants, and looks for afterwards. */
export const canaryValue = 'canary-value-0123456789';

/** Takes it out, as `[secret CANARY]`; for rooms that get their redactor handed in. */
export const canaryRedactor: Redactor = createRedactor([{ name: 'CANARY', value: canaryValue }]);
