import { isNode, isScalar, LineCounter, parseDocument, visit, type Document } from 'yaml';
import { visible } from '../../domain/events/index.ts';
import { locatorOf, positionAt, type Locator } from '../../domain/yaml-positions.ts';
import { spell, type ConfigProblem } from './problem.ts';

/** Largest configuration, in bytes: thousands of projects fit, nothing that could hold up a server does. */
export const maxConfigBytes = 1_048_576;
/** Aliases a file may use; far more than a person writes, far less than a bomb needs. */
const maxAliases = 256;
/** Nesting of the schema is below ten; deeper is nobody's configuration. */
const maxDepth = 40;
/** More tell nobody anything. */
const maxProblems = 100;

export type ReadYaml =
  | { readonly ok: true; readonly value: unknown; readonly locator: Locator }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

/** Reads one YAML document into plain JSON values. Hostile text ends in problems, never in an exception. Pure. */
export function readYaml(given: string): ReadYaml {
  const bytes = Buffer.byteLength(given);
  if (bytes > maxConfigBytes) {
    return whole(`the file has ${bytes} bytes; at most ${maxConfigBytes} are allowed`);
  }
  const text = given.startsWith('\uFEFF') ? given.slice(1) : given;
  if (!given.isWellFormed()) return whole('the file is not UTF-8 text');
  if (isDeep(text)) return whole('the file is nested too deeply');
  const lines = new LineCounter();
  try {
    const document = parseDocument(text, {
      lineCounter: lines,
      uniqueKeys: true,
      prettyErrors: false,
      merge: false,
    });
    const errors = [...document.errors, ...document.warnings].slice(0, maxProblems);
    if (errors.length > 0) {
      return {
        ok: false,
        problems: errors.map((error) => ({
          ...positionAt(lines, error.pos[0]),
          path: '',
          sentence: sentenceOf(error.code, error.message),
        })),
      };
    }
    const refused = refusedNodes(document, lines);
    if (refused.length > 0) return { ok: false, problems: refused };
    const locator = locatorOf(document, lines);
    const value = document.toJS({ maxAliasCount: maxAliases }) as unknown;
    const unstorable = unstorableValues(value, locator);
    if (unstorable.length > 0) return { ok: false, problems: unstorable };
    return { ok: true, value, locator };
  } catch (error) {
    // Nesting that overflows the stack, and aliases that multiply, end here.
    return whole(
      error instanceof RangeError
        ? 'the file is nested too deeply'
        : visible(error instanceof Error ? error.message : String(error)),
    );
  }
}

/** The parser takes time that grows with the square of the depth: a megabyte of brackets would hold up a server. */
const tooManyOpen = 1_000;

function isDeep(text: string): boolean {
  let open = 0;
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charCodeAt(at);
    if (character === 0x5b || character === 0x7b) open += 1;
    else if (character === 0x5d || character === 0x7d) open -= 1;
    if (open > tooManyOpen) return true;
  }
  return /(?:[-?:][ \t]+){1000}/.test(text);
}

function whole(sentence: string): ReadYaml {
  return { ok: false, problems: [{ line: 1, column: 1, path: '', sentence }] };
}

function sentenceOf(code: string, message: string): string {
  switch (code) {
    case 'DUPLICATE_KEY':
      return 'this key is there twice';
    case 'TAB_AS_INDENT':
      return 'a tab where YAML wants spaces';
    case 'MULTIPLE_DOCS':
      return 'a second document begins here; a configuration is one document';
    default:
      return visible(message);
  }
}

/** Merge keys, too many aliases, and nesting: none is needed, each has hidden something before. */
function refusedNodes(document: Document, lines: LineCounter): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  let aliases = 0;
  const refuse = (node: unknown, sentence: string): void => {
    const offset = isNode(node) ? node.range?.[0] : undefined;
    if (problems.length < maxProblems) problems.push({ ...positionAt(lines, offset), path: '', sentence });
  };
  visit(document, {
    Alias: (_key, node, path) => {
      aliases += 1;
      // A few bytes that hold themselves twice are endless to whoever walks them.
      const meant = node.resolve(document);
      if (meant !== undefined && path.includes(meant)) refuse(node, 'an alias stands within what it names');
      if (aliases === maxAliases + 1) refuse(node, `more than ${maxAliases} aliases are not allowed`);
    },
    Pair: (_key, pair) => {
      if (isScalar(pair.key) && pair.key.value === '<<') {
        refuse(pair.key, 'merge keys (<<) are not read; write the keys out');
      }
      if (!isScalar(pair.key)) refuse(pair.key, 'a key has to be plain text');
    },
    Node: (_key, node, path) => {
      if (path.length <= maxDepth * 2) return undefined;
      refuse(node, 'the file is nested too deeply');
      return visit.BREAK;
    },
  });
  return problems;
}

/** What JSON in the database cannot hold, and what is no number that can be compared. Hostile values end here. */
export function unstorableValues(root: unknown, locator: Pick<Locator, 'value'>): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const refuse = (path: readonly PropertyKey[], sentence: string): void => {
    if (problems.length < maxProblems)
      problems.push({ ...locator.value(path), path: visible(spell(path)), sentence });
  };
  const walk = (value: unknown, path: readonly PropertyKey[]): void => {
    if (typeof value === 'string' && (value.includes('\0') || !value.isWellFormed())) {
      refuse(path, 'the text holds characters that are none');
    } else if (typeof value === 'number' && !Number.isFinite(value)) {
      refuse(path, 'this is no finite number');
    } else if (typeof value === 'object' && value !== null && path.length > maxDepth) {
      refuse(path.slice(0, 4), 'this is nested too deeply');
    } else if (typeof value === 'object' && value !== null) {
      for (const [key, entry] of Object.entries(value)) {
        if (key.includes('\0') || !key.isWellFormed()) refuse(path, 'a key holds characters that are none');
        walk(entry, [...path, Array.isArray(value) ? Number(key) : key]);
      }
    }
  };
  walk(root, []);
  return problems;
}
