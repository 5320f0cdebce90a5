import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createApi } from '@berth/server/api/create-api.ts';
import { listenApi } from '@berth/server/api/listen-api.ts';
import { socketPathOf } from '@berth/server/api/socket-path.ts';
import { FakeControlPlane } from '@berth/server/testing/fake-control-plane.ts';
import { holdAt } from './hold.ts';
import type { HostedServer, ServerModule, StartOptions } from '../server-module.ts';

/** A server over the scripted control plane; its runs lie in `<home>/fake.json`, so that the next host finds them. */
export const fakeServerModule: ServerModule = {
  startServer: async ({ home, env, parts, onProgress }: StartOptions): Promise<HostedServer> => {
    mkdirSync(home, { recursive: true });
    onProgress('Starting the server');
    const socketPath = socketPathOf(home);
    // Listening is what makes this process the host: only then may it touch the runs.
    let plane: FakeControlPlane | null = null;
    const late = new Proxy({} as FakeControlPlane, {
      get: (_, name) => {
        plane ??= new FakeControlPlane({
          pace: Number(env['FAKE_PACE'] ?? '1'),
          statePath: join(home, 'fake.json'),
          worker: parts.includes('worker'),
          gate: holdAt(home, env['FAKE_HOLD']?.split(',') ?? []),
        });
        const value: unknown = Reflect.get(plane, name);
        return typeof value === 'function' ? (value.bind(plane) as unknown) : value;
      },
    });
    const app = createApi(late, { principal: 'tester' });
    await listenApi(app, { socketPath });
    return {
      socketPath,
      stop: async () => {
        plane?.stop();
        await app.close();
      },
    };
  },
};
