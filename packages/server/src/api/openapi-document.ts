import type { ControlPlane } from '../domain/ports/control-plane.ts';
import { createApi } from './create-api.ts';

/** The OpenAPI 3.1 document as the server answers it; the client's types are generated from it. */
export async function openapiDocument(): Promise<Record<string, unknown>> {
  // The document follows from the routes alone: no route is called.
  const app = createApi({} as ControlPlane, { principal: 'nobody' });
  await app.ready();
  const document = app.swagger() as unknown as Record<string, unknown>;
  await app.close();
  return document;
}
