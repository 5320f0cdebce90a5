import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { doctorViewSchema } from '../../domain/views.ts';
import { installation } from '../access/route-access.ts';
import type { ApiContext } from '../options.ts';
import { problems } from '../schemas.ts';

/** What works on this machine and what does not. */
export function doctorRoutes(app: FastifyInstance, { controlPlane }: ApiContext): void {
  app.withTypeProvider<ZodTypeProvider>().get(
    '/doctor',
    {
      config: installation('system.read'),
      schema: {
        operationId: 'doctor',
        summary: 'Looks whether everything Berth needs is there and works.',
        response: { 200: doctorViewSchema, ...problems },
      },
    },
    async () => controlPlane.doctor(),
  );
}
