import type { AuditFinding } from '../../domain/ports/audit.ts';

const mostFindings = 100;

/** What was found wrong, bounded: whoever has the database can make everything wrong. */
export class Findings {
  readonly list: AuditFinding[] = [];
  more = 0;

  add(finding: AuditFinding): void {
    if (this.list.length < mostFindings) this.list.push(finding);
    else this.more += 1;
  }

  get ok(): boolean {
    return this.list.length === 0;
  }
}
