import { createHash } from 'node:crypto';
import { secretForms } from '../secrets/secret-forms.ts';

export interface SecretFinding {
  /** What it looks like. */
  readonly rule: string;
  /** 1-based. */
  readonly line: number;
  /** First eight hex digits of the SHA-256 of what was found: enough to compare, not to use. */
  readonly fingerprint: string;
}

/** Shapes that are almost never anything else (each issuer's own prefix, or a key's frame). */
const rules: ReadonlyArray<readonly [string, RegExp]> = [
  [
    'private key',
    /-----BEGIN (?:(?:RSA|EC|DSA|OPENSSH|ENCRYPTED|PGP) )?PRIVATE KEY(?: BLOCK)?-----(?:\\n|\s)+[A-Za-z0-9+/=\\\s:,-]{60}/g,
  ],
  ['AWS access key', /\b(?:AKIA|ASIA)[A-Z2-7]{16}\b/g],
  ['GitHub token', /\b(?:gh[pousr]_[A-Za-z0-9]{36,251}|github_pat_[A-Za-z0-9_]{60,251})\b/g],
  ['GitLab token', /\bgl(?:pat|dt|rt|soat|cbt|ptt)-[A-Za-z0-9_-]{20,64}\b/g],
  ['Anthropic key', /\bsk-ant-[A-Za-z0-9]{2,10}-[A-Za-z0-9_-]{40,200}/g],
  [
    'OpenAI key',
    /\bsk-(?:proj-|svcacct-|admin-)[A-Za-z0-9_-]{40,200}|\bsk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}\b/g,
  ],
  [
    'Slack token',
    /\bxox[abposr]-\d{8,14}-[A-Za-z0-9-]{20,200}\b|\bxapp-\d-[A-Z0-9]{8,}-\d+-[a-f0-9]{32,}\b/g,
  ],
  ['Slack webhook', /https:\/\/hooks\.slack\.com\/services\/T[A-Z0-9]{8,}\/B[A-Z0-9]{8,}\/[A-Za-z0-9]{20,}/g],
  ['Stripe key', /\b[sr]k_live_[A-Za-z0-9]{24,200}\b/g],
  ['Google API key', /\bAIza[A-Za-z0-9_-]{35}\b/g],
  ['npm token', /\bnpm_[A-Za-z0-9]{36}\b/g],
  ['PyPI token', /\bpypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,}/g],
  ['SendGrid key', /\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}\b/g],
  ['Hugging Face token', /\bhf_[A-Za-z]{34}\b/g],
];

/** Shorter known values would be found by chance. */
const shortestKnown = 8;

/** A value that documentation uses as an example (issuers publish these) or that is plainly made up. */
function isExample(value: string): boolean {
  return (
    /EXAMPLE|X{8}|x{8}|0{12}|1234567890|abcdefghij|placeholder/i.test(value) ||
    new Set(value.slice(-16)).size < 5
  );
}

function fingerprintOf(value: string): string {
  return createHash('sha256').update(value).digest('hex').slice(0, 8);
}

interface KnownForms {
  readonly secret: string;
  /** As they stand in bytes that are read as Latin-1. */
  readonly forms: readonly string[];
}

/** Those of one list are asked for with every file of a change. */
const formsOfList = new WeakMap<readonly string[], readonly KnownForms[]>();

function knownForms(known: readonly string[]): readonly KnownForms[] {
  const present = formsOfList.get(known);
  if (present !== undefined) return present;
  const made = known
    .filter((value) => value.length >= shortestKnown)
    .map((secret) => ({
      secret,
      forms: secretForms([{ name: '', value: secret }]).map(({ text }) =>
        Buffer.from(text).toString('latin1'),
      ),
    }));
  formsOfList.set(known, made);
  return made;
}

/** Something that is named like a secret and looks like no word: where a key would stand. */
const assignment =
  /(?:secret|token|passwd|password|api[_-]?key|private[_-]?key|access[_-]?key|credential|auth[_-]?key)[\w-]{0,20}["']?\s{0,4}(?:[:=]|=>|:=)\s{0,4}["'`]?([A-Za-z0-9+/_=.~-]{24,200})/gi;

/** Bits a character, by how often each stands in it. */
function entropyOf(value: string): number {
  const counts = new Map<string, number>();
  for (const character of value) counts.set(character, (counts.get(character) ?? 0) + 1);
  return [...counts.values()].reduce(
    (sum, times) => sum - (times / value.length) * Math.log2(times / value.length),
    0,
  );
}

/** Random hex has 4 bits a character and random base64 6; 32 characters show some 3.5 and 4.5 of them. */
function looksRandom(value: string): boolean {
  if (/^[0-9a-f]+$/i.test(value)) return value.length >= 32 && entropyOf(value) > 3.2;
  const kinds = [/[a-z]/, /[A-Z]/, /[0-9]/].filter((kind) => kind.test(value)).length;
  return kinds === 3 && entropyOf(value) > 4 && !/[a-z]{7}|\.[a-z]+\(/i.test(value);
}

/** Values that stand where a key would stand and have no pattern. Weaker than `findSecrets`: some are harmless. */
export function findRandomValues(content: Uint8Array): SecretFinding[] {
  const text = Buffer.from(content).toString('latin1');
  const found = new Map<string, SecretFinding>();
  for (const match of text.matchAll(assignment)) {
    const value = match[1]!;
    if (isExample(value) || !looksRandom(value)) continue;
    const fingerprint = fingerprintOf(value);
    const line = text.slice(0, match.index).split('\n').length;
    if (!found.has(fingerprint))
      found.set(fingerprint, { rule: 'random value with the name of a secret', line, fingerprint });
  }
  return [...found.values()];
}

/** Text with every shape of a token replaced: for what leaves beside the change, titles and quoted tasks. */
export function withoutTokens(text: string): string {
  return rules.reduce(
    (left, [rule, pattern]) =>
      left.replaceAll(pattern, (value) => (isExample(value) ? value : `[${rule} left out]`)),
    text,
  );
}

/**
 * Looks for secrets in the bytes of one file: shapes of well-known tokens, and the known values in every form in which
 * redaction finds them.
 *
 * @param known values handed to this run or held by the worker; those under 8 characters are ignored.
 */
export function findSecrets(content: Uint8Array, known: readonly string[]): SecretFinding[] {
  const text = Buffer.from(content).toString('latin1');
  const found = new Map<string, SecretFinding>();
  const add = (rule: string, value: string, at: number) => {
    const fingerprint = fingerprintOf(value);
    if (found.has(fingerprint)) return;
    let line = 1;
    for (let next = text.indexOf('\n'); next !== -1 && next < at; next = text.indexOf('\n', next + 1))
      line += 1;
    found.set(fingerprint, { rule, line, fingerprint });
  };
  for (const [rule, pattern] of rules) {
    for (const match of text.matchAll(pattern)) {
      if (!isExample(match[0])) add(rule, match[0], match.index);
    }
  }
  for (const { secret, forms } of knownForms(known)) {
    for (const form of forms) {
      const at = text.indexOf(form);
      if (at !== -1) add('known secret', secret, at);
    }
  }
  return [...found.values()];
}
