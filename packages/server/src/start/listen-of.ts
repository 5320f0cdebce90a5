import { parseListen, type TcpAddress } from '../api/listen-address.ts';
import type { Foundation } from './foundation.ts';
import type { StartServerOptions } from './options.ts';

/** The TCP address this process listens on; null: none. */
export function listenOf(
  { listen }: StartServerOptions,
  { config }: Pick<Foundation, 'config'>,
): TcpAddress | null {
  if (listen !== 'default') return listen ?? null;
  return parseListen(config.current().config.server.listen);
}
