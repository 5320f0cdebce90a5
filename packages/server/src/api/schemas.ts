import { z } from 'zod';
import { eventTypes, type EventType } from '../domain/events/index.ts';
import { problemSchema } from './problem.ts';

/** An id, a unique prefix of one, or `latest`. */
export const idSchema = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,80}$/, 'letters, digits, - and _ (at most 80)')
  .describe('An id, a unique prefix of one, or `latest`.');

export const idParams = z.object({ id: idSchema });

export const callParams = z.object({ id: idSchema, callId: z.string().min(1).max(400) });

export const seqSchema = z.coerce.number<string>().int().min(0).max(2_147_483_647).default(0);

/** An entry of a log; the largest is that of the database's integers. */
export const placeSchema = z.coerce.number<string>().int().min(1).max(2_147_483_647);

/** How many entries to answer at most. */
export const limitSchema = (most: number, standard: number) =>
  z.coerce.number<string>().int().min(1).max(most).default(standard);

const known = Object.keys(eventTypes) as [EventType, ...EventType[]];

/** Comma-separated event types. */
export const typesSchema = z
  .string()
  .max(2_000)
  .transform((text, refinement) => {
    const types = text.split(',').filter((type) => type !== '');
    for (const type of types) {
      if (!(known as readonly string[]).includes(type)) {
        refinement.addIssue({ code: 'custom', message: `there is no event type ${JSON.stringify(type)}` });
      }
    }
    return types as EventType[];
  });

/** What every route can answer besides its result. */
export const problems = {
  '4xx': problemSchema,
  '5xx': problemSchema,
};
