import { passed, skipped, type StepFunction } from './step.ts';

/** Gathers what the agent should know before it begins, once per run: sources are read only the first time. */
export const prefetchStep: StepFunction = async (ctx, deps) => {
  const known = await ctx.log.events({ types: ['context.prefetched'] });
  const first = known[0];
  if (first?.type === 'context.prefetched') return said(first.data.items.map((item) => item.path));
  const items = await deps.prefetch.gather(ctx);
  if (items.length === 0) return skipped('nothing to fetch');
  await ctx.events.append({ type: 'context.prefetched', data: { items: [...items] } });
  return said(items.map((item) => item.path));
};

function said(paths: readonly string[]): ReturnType<typeof passed> {
  const shown = paths.slice(0, 4).join(', ');
  return passed(paths.length > 4 ? `${shown} and ${paths.length - 4} more` : shown);
}
