import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { visibleProjects, type Principal } from '../../domain/access.ts';
import { BerthError } from '../../domain/errors/index.ts';
import type { UsageReach } from '../../domain/ports/usage.ts';
import {
  budgetsViewSchema,
  usageDimensions,
  usageDimensionSchema,
  usageViewSchema,
  type UsageDimension,
} from '../../domain/usage.ts';
import { listOf } from '../access/route-access.ts';
import type { ApiContext } from '../options.ts';
import { problems } from '../schemas.ts';

const daySchema = z.iso.date().describe('A day of UTC, `YYYY-MM-DD`.');

/** Comma-separated, each once. */
const bySchema = z
  .string()
  .max(100)
  .default('')
  .describe(`Comma-separated: ${usageDimensions.join(', ')}.`)
  .transform((text, refinement): UsageDimension[] => {
    const wanted = new Set(text.split(',').filter((name) => name !== ''));
    return [...wanted].flatMap((name) => {
      const known = usageDimensionSchema.safeParse(name);
      if (known.success) return [known.data];
      refinement.addIssue({ code: 'custom', message: `use is not told by ${JSON.stringify(name)}` });
      return [];
    });
  });

/** What was used, and the budgets. */
export function usageRoutes(app: FastifyInstance, { usage }: ApiContext): void {
  const routes = app.withTypeProvider<ZodTypeProvider>();
  routes.get(
    '/usage',
    {
      config: listOf('usage.read'),
      schema: {
        operationId: 'getUsage',
        summary: 'What was used: of visible projects, and one’s own.',
        querystring: z.object({
          by: bySchema,
          from: daySchema.optional(),
          to: daySchema.optional(),
          project: z.string().min(1).max(4_096).optional().describe('Id, name or repository of a project.'),
        }),
        response: { 200: usageViewSchema, ...problems },
      },
    },
    async (request) => {
      const { by, from, to, project } = request.query;
      return usage.usage({
        ...reachOf(request.principal),
        by,
        ...(from === undefined ? {} : { from }),
        ...(to === undefined ? {} : { to }),
        ...(project === undefined ? {} : { project }),
      });
    },
  );
  routes.get(
    '/budgets',
    {
      config: listOf('usage.read'),
      schema: {
        operationId: 'listBudgets',
        summary: 'The budgets that apply, as they stand.',
        response: { 200: budgetsViewSchema, ...problems },
      },
    },
    async (request) => usage.budgets(reachOf(request.principal)),
  );
}

/** A token that was narrowed to some projects tells nothing of others, also not of its owner's own use there. */
function reachOf(principal: Principal): UsageReach {
  const { scope } = principal;
  if (scope?.permissions != null && !scope.permissions.includes('usage.read')) {
    throw new BerthError('FORBIDDEN', `${principal.name} lacks the permission usage.read with this token.`);
  }
  return { visible: visibleProjects(principal), self: scope?.projects == null ? principal.id : null };
}
