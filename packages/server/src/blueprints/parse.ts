import { isAlias, LineCounter, parseDocument, visit, type Document } from 'yaml';
import { blueprintSchema, type Blueprint } from '../domain/blueprint.ts';
import { BerthError } from '../domain/errors/index.ts';
import { visible } from '../domain/events/index.ts';
import { locatorOf } from '../domain/yaml-positions.ts';
import type { BlueprintProblem } from './problem.ts';
import { rulesOf } from './rules.ts';
import { describeIssue } from './schema-issues.ts';

/** Largest blueprint file, in bytes: a blueprint is a page, not a program. */
export const maxBlueprintBytes = 262_144;
/** Aliases a file may use; far more than a person writes, far less than a bomb needs. */
const maxAliases = 64;

/**
 * Reads a blueprint.
 * @param text the file's contents, hostile
 * @param path shown in errors
 * @throws BerthError `BLUEPRINT_INVALID`; `details.problems` holds every problem with line and column
 */
export function parseBlueprint(text: string, path: string): Blueprint {
  if (Buffer.byteLength(text) > maxBlueprintBytes) {
    throw invalid(path, [
      {
        line: 1,
        column: 1,
        sentence: `the file has ${Buffer.byteLength(text)} bytes; at most ${maxBlueprintBytes} are allowed`,
      },
    ]);
  }
  const lines = new LineCounter();
  const { document, value, problems } = readYaml(text, lines);
  if (problems.length > 0) throw invalid(path, problems);
  const locator = locatorOf(document, lines);
  const parsed = blueprintSchema.safeParse(value);
  if (!parsed.success) {
    throw invalid(
      path,
      parsed.error.issues.flatMap((issue) => describeIssue(issue, value, locator)),
    );
  }
  const broken = rulesOf(parsed.data).map((rule) => ({
    ...(rule.key === undefined ? locator.value(rule.path) : locator.key(rule.path, rule.key)),
    sentence: rule.sentence,
  }));
  if (broken.length > 0) throw invalid(path, broken);
  return parsed.data;
}

function readYaml(
  text: string,
  lines: LineCounter,
): { document: Document; value: unknown; problems: BlueprintProblem[] } {
  const empty = parseDocument('');
  try {
    const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, prettyErrors: false });
    const problems = [...document.errors, ...document.warnings].map((error) => {
      const { line, col } = lines.linePos(error.pos[0]);
      return { line: Math.max(line, 1), column: Math.max(col, 1), sentence: visible(error.message) };
    });
    if (problems.length > 0) return { document, value: null, problems };
    let aliases = 0;
    let firstTooMany: number | null = null;
    visit(document, {
      Alias: (_key, node) => {
        if (!isAlias(node)) return;
        aliases += 1;
        if (aliases === maxAliases + 1) firstTooMany = node.range?.[0] ?? 0;
      },
    });
    if (firstTooMany !== null) {
      const { line, col } = lines.linePos(firstTooMany);
      return {
        document,
        value: null,
        problems: [{ line, column: col, sentence: `more than ${maxAliases} aliases are not allowed` }],
      };
    }
    return { document, value: document.toJS({ maxAliasCount: 256 }) as unknown, problems: [] };
  } catch (error) {
    // Nesting that overflows the stack, and aliases that multiply, end here.
    const sentence =
      error instanceof RangeError
        ? 'the file is nested too deeply'
        : visible(error instanceof Error ? error.message : String(error));
    return { document: empty, value: null, problems: [{ line: 1, column: 1, sentence }] };
  }
}

function invalid(path: string, problems: readonly BlueprintProblem[]): BerthError {
  const sorted = [...problems].sort((a, b) => a.line - b.line || a.column - b.column);
  const shown = sorted
    .slice(0, 5)
    .map((problem) => `${visible(path)}:${problem.line}:${problem.column}: ${problem.sentence}`);
  const rest = sorted.length > shown.length ? [`and ${sorted.length - shown.length} more`] : [];
  return new BerthError('BLUEPRINT_INVALID', [...shown, ...rest].join('\n'), {
    details: { path, problems: sorted.slice(0, 50) },
  });
}
