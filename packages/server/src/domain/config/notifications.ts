import { z } from 'zod';
import { secretReferenceSchema } from './text.ts';

export const notificationEvents = ['gate.opened', 'gate.decided', 'run.ended'] as const;
export type NotificationEvent = (typeof notificationEvents)[number];

const isLoopback = (url: URL): boolean => /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname);

/** Where people are told of what happens. */
export const notificationsSchema = z.strictObject({
  webhook: z
    .strictObject({
      /** Plain http only to this machine itself. */
      url: z
        .url({ protocol: /^https?$/ })
        .max(2_000)
        .refine((text) => {
          const url = URL.parse(text);
          return url !== null && (url.protocol === 'https:' || isLoopback(url));
        }, 'an https address'),
      /** Every body is signed with it (HMAC-SHA256). */
      secret: secretReferenceSchema,
      events: z.array(z.enum(notificationEvents)).default(['gate.opened', 'run.ended']),
    })
    .optional(),
});
