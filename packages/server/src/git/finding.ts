import type { PolicyAction, PolicyRule } from '../domain/proposal-policy.ts';

export type Severity = 'refuse' | 'person' | 'note';

/**
 * What a policy has to weigh. `refuse`: not pushed; the work is kept. `person`: may be pushed only as a draft
 * that a person looks at. `note`: the reader is told.
 */
export type Finding =
  | {
      readonly kind: 'protected-path';
      readonly policy: PolicyRule | 'always';
      readonly severity: Severity;
      readonly path: string;
      readonly pattern: string;
    }
  | {
      readonly kind: 'secret';
      readonly policy: PolicyRule | 'always';
      readonly severity: Severity;
      readonly path: string;
      readonly line: number;
      /** What it looks like. */
      readonly rule: string;
      readonly fingerprint: string;
    }
  | {
      readonly kind: 'file';
      readonly policy: PolicyRule;
      readonly severity: Severity;
      /** Empty: it is about the change as a whole. */
      readonly path: string;
      readonly line: number | null;
      readonly why: string;
    };

/** What an action means for a change that something was found in. */
export function severityOf(action: PolicyAction): Severity {
  switch (action) {
    case 'allow':
      return 'note';
    case 'draft':
      return 'person';
    case 'block':
      return 'refuse';
  }
}
