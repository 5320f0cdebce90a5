import { unifiedDiff } from './diff.ts';
import { readForChange, resolvePath, sha256 } from './file-text.ts';
import type { FileText } from './file-text.ts';
import { failure } from './tool.ts';
import type { ToolContext, ToolResult } from './tool.ts';

/** What a file-changing tool makes of the present file: the new text, or why not. */
export type Change =
  | { readonly ok: true; readonly text: string; readonly note?: string }
  | { readonly ok: false; readonly problem: string };

/**
 * Changes one file so that it is changed exactly once, whatever dies in between: the plan (hash before, hash
 * after) is recorded before the file is written. A call found with a plan is settled by the file as it is:
 * already changed → done; unchanged → done now; anything else → interrupted, and the model is told.
 */
export async function applyChange(
  verb: string,
  path: string,
  context: ToolContext,
  change: (before: FileText & { kind: 'text' | 'missing' }) => Change,
): Promise<ToolResult> {
  const before = await readForChange(path, context);
  if (before.kind === 'refused') return failure(before.reason, `${verb} ${path}: refused`);
  const present = before.kind === 'text' ? before.sha256 : null;
  const earlier = context.earlierPlan;
  if (earlier !== null) {
    if (present === earlier.afterSha256) {
      return {
        text: `${path} was changed as asked (the answer was lost in an interruption; the change is there).`,
        isError: false,
        summary: `${verb} ${path}`,
      };
    }
    if (present !== earlier.beforeSha256) {
      return {
        text: `Interrupted: ${path} is neither as it was before this call nor as it would be after it. Read it before you go on.`,
        isError: true,
        interrupted: true,
        summary: `${verb} ${path} interrupted`,
      };
    }
  }
  const changed = change(before);
  if (!changed.ok) return failure(changed.problem, `${verb} ${path}: not applied`);
  const bytes = new TextEncoder().encode(changed.text);
  if (before.kind === 'text' && before.sha256 === sha256(bytes)) {
    return failure(`${path} is already exactly so; nothing was changed.`, `${verb} ${path}: no change`);
  }
  if (earlier === null) await context.plan({ path, beforeSha256: present, afterSha256: sha256(bytes) });
  await context.sandbox.write(resolvePath(context, path), bytes, {
    signal: context.signal,
    ...(before.kind === 'text' ? { mode: before.mode } : {}),
  });
  const diff = unifiedDiff(path, before.kind === 'text' ? before.text : '', changed.text);
  const heading = changed.note === undefined ? '' : `${changed.note}\n`;
  return {
    text: `${heading}${diff.text}`,
    isError: false,
    summary: `${verb} ${path} +${diff.added} -${diff.removed}`,
  };
}
