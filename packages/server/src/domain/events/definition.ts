import type { z } from 'zod';

/** `low` folds away first, `high` never folds. */
export type Importance = 'low' | 'normal' | 'high';

export interface EventDefinition<Schema extends z.ZodType> {
  /** Raised when the data's shape changes; older entries pass `upcast` when they are read. */
  readonly version: number;
  readonly importance: Importance;
  readonly data: Schema;
  /** One line for people, from data alone; everything from outside is shown as data. */
  readonly title: (data: z.infer<Schema>) => string;
  /** Brings data of an older `version` to the present shape; needed from version 2 on. */
  readonly upcast?: (data: unknown, version: number) => unknown;
}

export function event<Schema extends z.ZodType>(
  importance: Importance,
  data: Schema,
  title: (data: z.infer<Schema>) => string,
): EventDefinition<Schema> {
  return { version: 1, importance, data, title };
}
