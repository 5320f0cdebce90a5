import { createApi } from '../api/create-api.ts';
import { listenApi } from '../api/listen-api.ts';
import type { ApiOptions } from '../api/options.ts';
import { socketPathOf } from '../api/socket-path.ts';
import { configPlane } from '../config/plane.ts';
import type { ControlPlane } from '../domain/ports/control-plane.ts';
import { asBerthError } from '../domain/errors/index.ts';
import { checkBlueprint } from './check-config.ts';
import { deliveryPlane } from '../triggers/deliveries/plane.ts';
import { deliveryPartsOf, hookDoorOf } from './deliveries.ts';
import { egressExplainer } from './egress-explainer.ts';
import { entranceOf } from './entrance.ts';
import { campaignPlane } from '../runs/campaigns/plane.ts';
import { schedulePlane } from '../triggers/schedules/plane.ts';
import { createUsageReader } from '../limits/create-usage-reader.ts';
import type { Foundation } from './foundation.ts';
import { listenOf } from './listen-of.ts';
import type { StartServerOptions } from './options.ts';

/** The API while it answers. */
export interface ApiPart {
  /** Empty where another server has it. */
  readonly socketPath: string;
  readonly url: string | null;
  signInLink(): Promise<string | null>;
  stop(): Promise<void>;
}

/** What both doors have in common. */
type Shared = Pick<ApiOptions, 'health' | 'log' | 'terminals'>;

/**
 * Answers requests over the control plane, by two doors: the unix socket, whose permissions tell that this account
 * asks, and TCP, where whoever asks has to show who they are.
 */
export async function startApiPart(
  foundation: Foundation,
  controlPlane: ControlPlane,
  options: StartServerOptions,
  shared: Shared,
): Promise<ApiPart> {
  const closers: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (const close of closers.splice(0).toReversed()) await close().catch(() => undefined);
  };
  try {
    const { audit } = foundation;
    const listen = listenOf(options, foundation);
    const entrance = await entranceOf(foundation, listen);
    const { door, services } = entrance;
    closers.push(() => entrance.close());
    const config = configPlane({ db: foundation.db, config: foundation.config, checkBlueprint });
    const usage = createUsageReader(foundation.db, foundation.config);
    const { db, config: current, redactor } = foundation;
    const schedules = schedulePlane({ db, config: current, controlPlane, audit: audit.sink });
    const hooks = hookDoorOf(foundation);
    closers.push(async () => hooks.close());
    const common = {
      ...shared,
      ...services,
      redactor,
      audit,
      config,
      usage,
      schedules,
      campaigns: campaignPlane(db),
      deliveries: deliveryPlane(deliveryPartsOf(foundation, controlPlane)),
      hooks: hooks.door,
      egress: egressExplainer(foundation),
    };
    const local = createApi(controlPlane, common);
    closers.push(() => local.close());
    const socketPath = await listenOnSocket(local, foundation, options);
    if (listen === null || door === null) {
      return { socketPath, url: null, signInLink: async () => null, stop };
    }
    const app = createApi(controlPlane, { ...common, door });
    closers.push(() => app.close());
    const url = await listenApi(app, listen);
    return { socketPath, url, signInLink: () => entrance.signInLink(url), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function listenOnSocket(
  app: ReturnType<typeof createApi>,
  { home, log }: Foundation,
  { socket }: StartServerOptions,
): Promise<string> {
  try {
    return await listenApi(app, { socketPath: socketPathOf(home) });
  } catch (error) {
    if (socket !== 'if-free' || asBerthError(error).code !== 'SERVER_RUNNING') throw error;
    log.info('another server of this data directory has the socket', { home });
    return '';
  }
}
