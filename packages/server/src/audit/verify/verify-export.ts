import type { KeyObject } from 'node:crypto';
import type { AuditVerdict } from '../../domain/ports/audit.ts';
import type { Entry } from '../entry.ts';
import type { ExportLine } from '../export-acts.ts';
import type { Seal } from '../seal.ts';
import { checkEntries } from './check-entries.ts';
import { beginAfterCut, checkSeal, type ChainEnd } from './check-seal.ts';
import { Findings } from './findings.ts';

/**
 * Checks an export with nothing but its lines and public keys that are trusted for another reason than that they
 * stand in it. Of a filtered export each entry that is there is checked; of a whole one also that none is missing.
 */
export async function verifyExport(
  lines: Iterable<string> | AsyncIterable<string>,
  publicKeys: readonly KeyObject[],
): Promise<AuditVerdict> {
  const findings = new Findings();
  const seals: Seal[] = [];
  const batches: Entry[][] = [[]];
  let isPartial = false;
  let end: Extract<ExportLine, { kind: 'end' }> | null = null;
  for await (const text of lines) {
    if (text.trim() === '') continue;
    const line = JSON.parse(text) as ExportLine;
    switch (line.kind) {
      case 'export':
        isPartial = Object.keys(line.filter).length > 0;
        break;
      case 'entry': {
        const { kind: _, ...entry } = line;
        batches.at(-1)!.push(entry);
        break;
      }
      case 'seal': {
        const { sealKind, leaves, ...seal } = line;
        seals.push({ ...seal, kind: sealKind, leaves: Buffer.from(leaves, 'base64') });
        batches.push([]);
        break;
      }
      case 'end':
        end = line;
        break;
    }
  }
  const newestCut = seals.findLast((seal) => seal.kind === 'cut') ?? null;
  let chain: ChainEnd = beginAfterCut({ newestCut });
  for (const [place, seal] of seals.entries()) {
    chain = checkSeal(seal, chain, publicKeys, findings);
    checkEntries(seal, batches[place] ?? [], findings, isPartial);
  }
  const tail = batches.at(-1) ?? [];
  const entries = batches.reduce((sum, batch) => sum + batch.length, 0);
  if (end === null || end.entries !== entries || end.seals !== seals.length) {
    findings.add({
      problem: 'rolled-back',
      sentence: 'The export was cut off, or lines were taken out of it.',
    });
  }
  return {
    ok: findings.ok,
    entries,
    seals: seals.length,
    runs: 0,
    events: 0,
    erased: 0,
    unsealed: {
      count: tail.length,
      from: tail[0]?.position ?? null,
      oldestAt: tail[0]?.at ?? null,
    },
    cut: newestCut?.cut == null ? null : { position: newestCut.cut.position, before: newestCut.cut.before },
    head: seals.length === 0 ? null : { number: chain.number, hash: chain.hash },
    findings: findings.list,
    more: findings.more,
  };
}
